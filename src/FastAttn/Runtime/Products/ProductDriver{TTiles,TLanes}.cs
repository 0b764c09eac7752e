using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// C = A·W + bias (+ residual) in blocks (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): a block of A
/// meets one panel of W after another; a block of a panel meets one tile of rows after another. C is the running sum, so a
/// sum's terms are added in their order however it is cut. What follows a sum happens to each register tile right after its last terms, while it is
/// in the first-level cache.
/// </summary>
/// <remarks>
/// A is read where it lies: to copy a block to where its rows are dense takes 1 to 2% of the time and gains nothing, even where rows
/// are 16 KiB apart (AVX-512 and AVX2).
/// </remarks>
/// <typeparam name="TTiles">The register tiles.</typeparam>
/// <typeparam name="TLanes">Their vector.</typeparam>
internal sealed unsafe class ProductDriver<TTiles, TLanes> : ProductDriver
    where TTiles : struct, IProductTiles
    where TLanes : struct, ILanes<TLanes>
{
    /// <summary>
    /// The number of rows up to which panels stream past them: with 4096 × 4096 weights this is 1.25 times as fast as blocks are at 8 rows
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
    public override long WorkspaceFloats(in Projection projection, int rows, int panels) =>
        (projection.IsInPlace && !CompletesPanels(rows, projection.Weights) ? panels : 1L) * rows * projection.Weights.PanelWidth;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(in Projection projection, int firstRow, int rows, int firstPanel, int endPanel, float* memory)
    {
        PackedMatrix weights = projection.Weights;
        long firstOutput = firstRow * projection.OutputStride;
        Block block = new()
        {
            Rows = rows,
            A = projection.Input + firstRow * projection.InputStride,
            AStride = (nint)projection.InputStride,
            C = projection.Output + firstOutput,
            CStride = (nint)projection.OutputStride,
            Residual = projection.Residual == null ? null : projection.Residual + firstOutput,
            IsInPlace = projection.IsInPlace,
        };

        // With few rows each panel is read once, from one end to the other. The CPU foresees that, and asking for memory only slows it down.
        bool streams = Streams(rows);
        int depthBlock = streams ? weights.Depth : TTiles.DepthBlock;
        long sumsStride = CompletesPanels(rows, weights) ? 0 : (long)rows * weights.PanelWidth;
        for (int k = 0; k < weights.Depth; k += depthBlock)
        {
            int depth = Math.Min(depthBlock, weights.Depth - k);
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                Cells cells = new(block, weights, panel, block.IsInPlace ? memory + (panel - firstPanel) * sumsStride : memory);
                Multiply(block, cells, k, depth, k + depth == weights.Depth, streams || panel + 1 == endPanel ? null : weights.Panel(panel + 1) + k * weights.PanelWidth);
            }
        }
    }

    /// <summary>Whether each panel is read to its end before the next: what is kept elsewhere than in C is one panel's then.</summary>
    private bool CompletesPanels(int rows, PackedMatrix weights) => Streams(rows) || weights.Depth <= TTiles.DepthBlock;

    /// <summary>C = I + A·B tile by tile; I is the bias for the first terms, then C.</summary>
    /// <param name="block">The rows.</param>
    /// <param name="cells">The columns.</param>
    /// <param name="firstTerm">First row of the panel.</param>
    /// <param name="depth">How many.</param>
    /// <param name="areLast">Whether the sums are complete then.</param>
    /// <param name="next">As much of the next panel, asked for meanwhile; null for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(in Block block, in Cells cells, int firstTerm, int depth, bool areLast, float* next)
    {
        const int LineFloats = Prefetcher.LineFloats;
        int tileRows = TTiles.Rows(cells.Vectors);
        float* b = cells.B + (long)firstTerm * cells.Width;
        int linesLeft = next == null ? 0 : depth * cells.Width / LineFloats, linesOfTile = depth / TTiles.Unroll;
        bool finishes = areLast && (!cells.AreInPlace || block.Residual != null);
        for (int row = 0, rows; row < block.Rows; row += rows, next += linesOfTile * LineFloats, linesLeft -= linesOfTile)
        {
            // A full tile, else the largest power of 2 that is left.
            rows = Math.Min(tileRows, 1 << BitOperations.Log2((uint)(block.Rows - row)));
            float* c = cells.Sums + row * cells.SumsStride;
            bool isFirst = firstTerm == 0;
            TTiles.Multiply(
                cells.Vectors, rows, ref block.A[row * block.AStride + firstTerm], block.AStride, ref *b,
                ref *(isFirst ? cells.Bias : c), isFirst ? 0 : cells.SumsStride, ref *c, cells.SumsStride, depth,
                ref *(linesLeft > 0 ? next : b));
            if (finishes)
                Finish(block, cells, row, rows);
        }
    }

    /// <summary>C = sums (+ residual), for one register tile. Sums have whole vectors of columns, C and the residual may not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in Block block, in Cells cells, int firstRow, int rows)
    {
        int columns = cells.Columns, whole = columns / TLanes.Count * TLanes.Count;
        for (int row = firstRow; row < firstRow + rows; row++)
        {
            float* sums = cells.Sums + row * cells.SumsStride, c = cells.C + row * block.CStride;
            float* residual = block.Residual == null ? null : cells.Residual + row * block.CStride;
            for (int n = 0; n < whole; n += TLanes.Count)
            {
                TLanes value = TLanes.Load(ref sums[n]);
                if (residual != null)
                    value += TLanes.Load(ref residual[n]);
                value.Store(ref c[n]);
            }

            for (int n = whole; n < columns; n++)
                c[n] = residual == null ? sums[n] : sums[n] + residual[n];
        }
    }

    /// <summary>Rows of A and of C.</summary>
    private ref struct Block
    {
        public int Rows;
        public float* A;
        public nint AStride;
        public float* C;

        /// <summary>From row to row of C and of the residual.</summary>
        public nint CStride;

        /// <summary>The rows that are added to those of C; null for none.</summary>
        public float* Residual;

        /// <summary>Whether the residual is C.</summary>
        public bool IsInPlace;
    }

    /// <summary>
    /// The columns of one panel. Sums are kept in C, unless their last vector has more lanes than C has columns, or C holds a residual that is
    /// still to be added.
    /// </summary>
    private readonly ref struct Cells
    {
        public Cells(in Block block, PackedMatrix weights, int panel, float* memory)
        {
            long first = (long)panel * weights.PanelWidth;
            Vectors = weights.Vectors(panel);
            Width = Vectors * TTiles.Lanes;
            B = weights.Panel(panel);
            Bias = weights.Bias + first;
            Columns = weights.ColumnsOf(panel);
            C = block.C + first;
            Residual = block.Residual + first;
            AreInPlace = Columns == Width && !block.IsInPlace;
            Sums = AreInPlace ? C : memory;
            SumsStride = AreInPlace ? block.CStride : Width;
        }

        public readonly int Vectors;
        public readonly int Width;
        public readonly int Columns;
        public readonly float* B;
        public readonly float* Bias;
        public readonly float* C;

        /// <summary>Where the residual's columns begin, if there is one.</summary>
        public readonly float* Residual;

        /// <summary>Whether sums are kept in C.</summary>
        public readonly bool AreInPlace;

        public readonly float* Sums;
        public readonly nint SumsStride;
    }
}
