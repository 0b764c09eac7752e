using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// C = f(A·W + bias) (+ residual) in blocks (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): a block of A
/// is multiplied by one panel of W after another; a block of a panel by one tile of rows after another. C is the running sum, so a
/// sum's terms are added in order however it is cut. What follows a sum is applied to each register tile right after its last terms, while it is
/// in the L1 cache.
/// </summary>
/// <remarks>
/// A is read in place: copying a block so that its rows are dense takes 1 to 2% of the time and gains nothing, even where rows
/// are 16 KiB apart (AVX-512 and AVX2).
/// </remarks>
/// <typeparam name="TTiles">The register tiles.</typeparam>
/// <typeparam name="TLanes">Their vector.</typeparam>
internal sealed unsafe class ProductDriver<TTiles, TLanes> : ProductDriver
    where TTiles : struct, IProductTiles
    where TLanes : struct, ILanes<TLanes>
{
    /// <inheritdoc/>
    public override int Lanes => TTiles.Lanes;

    /// <inheritdoc/>
    public override int MaxVectors => TTiles.MaxVectors;

    /// <inheritdoc/>
    public override int RowBlock => TTiles.RowBlock;

    /// <inheritdoc/>
    public override int TileRows => TTiles.Rows(TTiles.MaxVectors);

    /// <inheritdoc/>
    public override long WorkspaceFloats(in Projection projection, int rows, int panels) =>
        WidenedFloats(rows, projection.Weights) + (projection.IsInPlace && !CompletesPanels(rows, projection.Weights) ? panels : 1L) * rows * projection.Weights.PanelWidth;

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
            Activation = projection.Activation,
            Widened = memory,
            Sums = memory + WidenedFloats(rows, weights),
        };
        int depthBlock = DepthBlock(rows, weights);
        if (!CompletesPanels(rows, weights))
        {
            long sumsOfPanel = block.IsInPlace ? (long)rows * weights.PanelWidth : 0;
            for (int k = 0; k < weights.Depth; k += depthBlock)
            {
                block.Sums = memory + WidenedFloats(rows, weights);
                for (int panel = firstPanel; panel < endPanel; panel++, block.Sums += sumsOfPanel)
                    Multiply(block, weights, panel, k, Math.Min(depthBlock, weights.Depth - k), panel + 1 < endPanel ? weights.Block(panel + 1, k) : null);
            }

            return;
        }

        // With few rows each panel is read once, from one end to the other. The CPU foresees that, and prefetching only slows it down. But where
        // it computes between blocks, as with weights that are widened, it would read nothing meanwhile without prefetching.
        bool asks = !ProductCallPlan.Streams(rows) || (weights.Precision != WeightPrecision.Float32 && !WidensInRegisters(rows, weights));
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            for (int k = 0; k < weights.Depth; k += depthBlock)
            {
                int depth = Math.Min(depthBlock, weights.Depth - k);
                bool isLast = k + depth == weights.Depth && panel + 1 == endPanel;
                Multiply(block, weights, panel, k, depth, asks && !isLast ? weights.Block(panel, k + depth) : null);
            }
        }
    }

    /// <summary>
    /// Terms in a block. With few rows floats stream from memory into the tiles. Weights that are first widened take one part of a sum at a time, which stays in
    /// the L1 cache.
    /// </summary>
    private static int DepthBlock(int rows, PackedMatrix weights) =>
        !ProductCallPlan.Streams(rows) ? TTiles.DepthBlock : weights.Precision == WeightPrecision.Float32 || WidensInRegisters(rows, weights) ? weights.Depth : TTiles.SumLength;

    /// <summary>Whether weights are widened in registers, as for a single row, which uses each of them once.</summary>
    private static bool WidensInRegisters(int rows, PackedMatrix weights) => rows == 1 && weights.Precision != WeightPrecision.Float32;

    /// <summary>Whether each panel is read to its end before the next, so that sums kept outside C belong to one panel.</summary>
    private static bool CompletesPanels(int rows, PackedMatrix weights) => ProductCallPlan.Streams(rows) || weights.Depth <= TTiles.DepthBlock;

    /// <summary>Floats of a widened block of weights, in whole cache lines.</summary>
    private static long WidenedFloats(int rows, PackedMatrix weights)
    {
        const long LineFloats = Prefetcher.LineFloats;
        long floats = weights.Precision == WeightPrecision.Float32 || WidensInRegisters(rows, weights) ? 0 : (long)Math.Min(DepthBlock(rows, weights), weights.Depth) * weights.PanelWidth;
        return (floats + LineFloats - 1) & ~(LineFloats - 1);
    }

    /// <summary>C = I + A·B tile by tile; for the first terms I is the bias, or 0 if scales follow, and then C.</summary>
    /// <param name="block">The rows.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="panel">The columns.</param>
    /// <param name="firstTerm">First row of the panel.</param>
    /// <param name="depth">How many.</param>
    /// <param name="next">The block of weights that follows, prefetched meanwhile; null for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(in Block block, PackedMatrix weights, int panel, int firstTerm, int depth, byte* next)
    {
        const int LineBytes = Prefetcher.LineFloats * sizeof(float);
        Cells cells = new(block, weights, panel);
        byte* packed = weights.Block(panel, firstTerm);
        int tileRows = TTiles.Rows(cells.Vectors);
        long bytes = (long)depth * cells.Width * weights.WeightBytes, linesLeft = next == null ? 0 : bytes / LineBytes;
        int linesOfTile = depth / TTiles.Unroll;
        float* b = (float*)packed;
        bool isFirst = firstTerm == 0, finishes = firstTerm + depth == weights.Depth && (!cells.AreInPlace || block.Residual != null || cells.Scales != null || block.Activation != Activation.None);
        if (WidensInRegisters(block.Rows, weights))
        {
            WeightRow<TLanes>.Multiply(weights.Precision, weights.AreFinite, block.A, packed, cells.Vectors, cells.Initial, cells.Sums, depth, TTiles.SumLength);
            if (finishes)
                Finish(block, cells, firstRow: 0, rows: 1);
            return;
        }

        if (weights.Precision != WeightPrecision.Float32)
        {
            // Each tile prefetches its lines of the next block; the loop that widens this block prefetches the lines before them.
            int tiles = block.Rows / tileRows + BitOperations.PopCount((uint)(block.Rows % tileRows));
            long lines = Math.Max(0, linesLeft - (long)tiles * linesOfTile);
            b = block.Widened;
            WeightWidening<TLanes>.Widen(weights.Precision, weights.AreFinite, packed, b, (long)depth * cells.Width, next, lines * LineBytes);
            next += lines * LineBytes;
            linesLeft -= lines;
        }

        for (int row = 0, rows; row < block.Rows; row += rows, next += linesOfTile * LineBytes, linesLeft -= linesOfTile)
        {
            // A full tile, else the largest power of 2 that fits.
            rows = Math.Min(tileRows, 1 << BitOperations.Log2((uint)(block.Rows - row)));
            float* c = cells.Sums + row * cells.SumsStride;
            TTiles.Multiply(
                cells.Vectors, rows, ref block.A[row * block.AStride + firstTerm], block.AStride, ref *b,
                ref *(isFirst ? cells.Initial : c), isFirst ? 0 : cells.SumsStride, ref *c, cells.SumsStride, depth,
                ref *(linesLeft > 0 ? (float*)next : b));
            if (finishes)
                Finish(block, cells, row, rows);
        }
    }

    /// <summary>C = f(sums (· scales + bias)) (+ residual), for one register tile.</summary>
    private static void Finish(in Block block, in Cells cells, int firstRow, int rows)
    {
        switch (block.Activation)
        {
            case Activation.Relu:
                Finish<Relu<TLanes>>(block, cells, firstRow, rows);
                break;
            case Activation.Gelu:
                Finish<Gelu<TLanes>>(block, cells, firstRow, rows);
                break;
            case Activation.GeluTanh:
                Finish<GeluTanh<TLanes>>(block, cells, firstRow, rows);
                break;
            case Activation.Silu:
                Finish<Silu<TLanes>>(block, cells, firstRow, rows);
                break;
            default:
                Finish<Same<TLanes>>(block, cells, firstRow, rows);
                break;
        }
    }

    /// <summary>The same for one function. Sums have whole vectors of columns, C and the residual may not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish<TFunction>(in Block block, in Cells cells, int firstRow, int rows)
        where TFunction : struct, IElementFunction<TFunction, TLanes>
    {
        TFunction function = TFunction.Create();
        int columns = cells.Columns;
        for (int row = firstRow; row < firstRow + rows; row++)
        {
            float* sums = cells.Sums + row * cells.SumsStride, c = cells.C + row * block.CStride;
            float* residual = block.Residual == null ? null : cells.Residual + row * block.CStride;
            for (int n = 0; n < columns; n += TLanes.Count)
            {
                TLanes value = TLanes.Load(ref sums[n]);
                if (cells.Scales != null)
                    value = TLanes.MultiplyAdd(value, TLanes.Load(ref cells.Scales[n]), TLanes.Load(ref cells.Bias[n]));
                value = function.Apply(value);
                if (columns - n >= TLanes.Count)
                {
                    if (residual != null)
                        value += TLanes.Load(ref residual[n]);
                    value.Store(ref c[n]);
                    continue;
                }

                value.Store(ref sums[n]);
                for (int last = n; last < columns; last++)
                    c[last] = residual == null ? sums[last] : sums[last] + residual[last];
            }
        }
    }

    /// <summary>Rows of A and of C, and the worker's memory.</summary>
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

        /// <summary>What is applied to each sum before the residual is added.</summary>
        public Activation Activation;

        /// <summary>Room for <see cref="WidenedFloats"/>.</summary>
        public float* Widened;

        /// <summary>Room for rows × a panel, if sums are not kept in C.</summary>
        public float* Sums;
    }

    /// <summary>
    /// The columns of one panel. Sums are kept in C, unless their last vector has more lanes than C has columns, or C holds a residual that is
    /// still to be added.
    /// </summary>
    private readonly ref struct Cells
    {
        public Cells(in Block block, PackedMatrix weights, int panel)
        {
            long first = (long)panel * weights.PanelWidth;
            Vectors = weights.Vectors(panel);
            Width = Vectors * TTiles.Lanes;
            Columns = weights.ColumnsOf(panel);
            Bias = weights.Bias + first;
            Scales = weights.Scales == null ? null : weights.Scales + first;
            Initial = Scales == null ? Bias : weights.Zeros;
            C = block.C + first;
            Residual = block.Residual + first;
            AreInPlace = Columns == Width && !block.IsInPlace;
            Sums = AreInPlace ? C : block.Sums;
            SumsStride = AreInPlace ? block.CStride : Width;
        }

        public readonly int Vectors;
        public readonly int Width;
        public readonly int Columns;
        public readonly float* Bias;

        /// <summary>The factors of the columns' sums; null for none.</summary>
        public readonly float* Scales;

        /// <summary>What sums begin with.</summary>
        public readonly float* Initial;

        public readonly float* C;

        /// <summary>Where the residual's columns begin, if there is one.</summary>
        public readonly float* Residual;

        /// <summary>Whether sums are kept in C.</summary>
        public readonly bool AreInPlace;

        public readonly float* Sums;
        public readonly nint SumsStride;
    }
}
