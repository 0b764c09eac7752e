using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>
/// C = A·W + bias in blocks (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): a block of A
/// meets one panel of W after another; a block of a panel meets one tile of rows after another. C is the running sum, so a
/// sum's terms are added in their order however it is cut.
/// </summary>
/// <remarks>
/// A is read where it lies: to copy a block to where its rows are dense takes 1 to 2% of the time and gains nothing, even where rows
/// are 16 KiB apart (AVX-512 and AVX2).
/// </remarks>
/// <typeparam name="TTiles">The register tiles.</typeparam>
internal sealed unsafe class ProductDriver<TTiles> : ProductDriver
    where TTiles : struct, IProductTiles
{
    /// <summary>
    /// Rows that are so few that panels stream past them: with 4096 × 4096 weights this is 1.25 times as fast as blocks are at 8 rows
    /// and 1.2 times at 16 (AVX2).
    /// </summary>
    private const int StreamedRows = 16;

    /// <inheritdoc/>
    public override int Lanes => TTiles.Lanes;

    /// <inheritdoc/>
    public override int MaxVectors => TTiles.MaxVectors;

    /// <inheritdoc/>
    public override int RowBlock => TTiles.RowBlock;

    /// <inheritdoc/>
    public override int TileRows => TTiles.Rows(TTiles.MaxVectors);

    /// <inheritdoc/>
    public override bool Streams(int rows) => rows <= StreamedRows;

    /// <inheritdoc/>
    public override long WorkspaceFloats(int rows) => (long)rows * TTiles.MaxVectors * TTiles.Lanes;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(in Projection projection, int firstRow, int rows, int firstPanel, int endPanel, float* memory)
    {
        PackedMatrix weights = projection.Weights;
        Block block = new()
        {
            Rows = rows,
            A = projection.Input + firstRow * projection.InputStride,
            AStride = (nint)projection.InputStride,
            C = projection.Output + firstRow * projection.OutputStride,
            CStride = (nint)projection.OutputStride,
            Padded = memory,
        };

        // Few rows read each panel once, from one end to the other, as the CPU foresees it: asking for memory only slows it down.
        bool streams = Streams(rows);
        int depthBlock = streams ? weights.Depth : TTiles.DepthBlock;
        for (int k = 0; k < weights.Depth; k += depthBlock)
        {
            int depth = Math.Min(depthBlock, weights.Depth - k);
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                Cells cells = new(block, weights, panel);
                Multiply(block, cells, k, depth, streams || panel + 1 == endPanel ? null : weights.Panel(panel + 1) + k * weights.PanelWidth);
                if (k + depth == weights.Depth)
                    cells.Finish(block);
            }
        }
    }

    /// <summary>C = I + A·B tile by tile; I is the bias for the first terms, then C.</summary>
    /// <param name="block">The rows.</param>
    /// <param name="cells">The columns.</param>
    /// <param name="firstTerm">First row of the panel.</param>
    /// <param name="depth">How many.</param>
    /// <param name="next">As much of the next panel, asked for meanwhile; null for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(in Block block, in Cells cells, int firstTerm, int depth, float* next)
    {
        const int LineFloats = Prefetcher.LineFloats;
        int tileRows = TTiles.Rows(cells.Vectors);
        float* b = cells.B + (long)firstTerm * cells.Width;
        int linesLeft = next == null ? 0 : depth * cells.Width / LineFloats, linesOfTile = depth / TTiles.Unroll;
        for (int row = 0, rows; row < block.Rows; row += rows, next += linesOfTile * LineFloats, linesLeft -= linesOfTile)
        {
            // A full tile, else the largest power of 2 that is left.
            rows = Math.Min(tileRows, 1 << BitOperations.Log2((uint)(block.Rows - row)));
            float* c = cells.C + row * cells.CStride;
            bool isFirst = firstTerm == 0;
            TTiles.Multiply(
                cells.Vectors, rows, ref block.A[row * block.AStride + firstTerm], block.AStride, ref *b,
                ref *(isFirst ? cells.Bias : c), isFirst ? 0 : cells.CStride, ref *c, cells.CStride, depth,
                ref *(linesLeft > 0 ? next : b));
        }
    }

    /// <summary>Rows of A and of C.</summary>
    private ref struct Block
    {
        public int Rows;
        public float* A;
        public nint AStride;
        public float* C;
        public nint CStride;

        /// <summary>Room for rows × one panel.</summary>
        public float* Padded;
    }

    /// <summary>
    /// The columns of one panel. The last ones of C may be fewer than a vector: they are computed in <see cref="Block.Padded"/>, of
    /// which a task needs but one, and copied.
    /// </summary>
    private readonly ref struct Cells
    {
        private readonly float* _destination;
        private readonly int _columns;

        public Cells(in Block block, PackedMatrix weights, int panel)
        {
            long first = (long)panel * weights.PanelWidth;
            Vectors = weights.Vectors(panel);
            Width = Vectors * TTiles.Lanes;
            B = weights.Panel(panel);
            Bias = weights.Bias + first;
            _destination = block.C + first;
            _columns = weights.ColumnsOf(panel);
            C = IsWhole ? _destination : block.Padded;
            CStride = IsWhole ? block.CStride : Width;
        }

        public readonly int Vectors;
        public readonly int Width;
        public readonly float* B;
        public readonly float* Bias;
        public readonly float* C;
        public readonly nint CStride;

        private bool IsWhole => _columns == Width;

        public void Finish(in Block block)
        {
            for (int row = 0; row < block.Rows && !IsWhole; row++)
                new ReadOnlySpan<float>(C + row * CStride, _columns).CopyTo(new(_destination + row * block.CStride, _columns));
        }
    }
}
