using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The sizes of a call for sequences of few queries, with the head dimension in lanes.</summary>
internal struct RowPlan
{
    /// <summary>
    /// The largest number of queries of a group of heads that are processed together: each has a row of scores, and 64 rows for the 1536 keys of a
    /// block are 0.4 MiB.
    /// </summary>
    public const int MaxRows = 64;

    /// <summary>
    /// Keys, or values, that all queries process before any goes on to the next: 8 KiB of 128 floats each, which the L1 cache keeps beside the
    /// queries.
    /// </summary>
    public const int NearRows = 16;

    /// <summary>
    /// Key blocks that are processed as one. Keys and values alternate, and at each change the CPU's prefetcher starts over:
    /// 32 query heads over 8, 4096 and 32768 keys, take 1.95 and 17.1 ms with 1, 1.75 and 15.2 with 4, 1.66 and 14.0 with 16, 1.61 and
    /// 13.6 with 48 (Zen 4), which need correspondingly more memory for scores.
    /// </summary>
    private const int BlocksAtOnce = 16;

    /// <summary>Keys in a block here.</summary>
    public int KeyBlock;

    /// <summary>Where the parts of a worker's memory are.</summary>
    public TileLayout Tile;

    /// <summary>Finds the sizes, in place.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="call">The call.</param>
    /// <param name="keyBlock">Keys in a block with queries in lanes.</param>
    /// <param name="partition">How the call is cut.</param>
    /// <param name="maxFewQueries">The number of queries of a sequence up to which they are few.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(KernelSizes kernel, in AttentionCall call, int keyBlock, in TilePartition partition, int maxFewQueries)
    {
        KeyBlock = KeyBlockOf(keyBlock);

        // There is room for the queries of a tile, and for those of a group that is folded beside longer sequences, in whole vectors; and for all keys if they are fewer than
        // a block.
        long queries = Math.Min(MaxRows, Math.Max(Math.Min(partition.TileRows, partition.Rows), (long)call.GroupSize * Math.Min(call.Shape.QueryLength, maxFewQueries)));
        int rows = (int)((queries + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes);
        Tile.Set(kernel, call, rows, Math.Min(KeyBlock, call.Shape.KeyLength), partition.Splits > 1);
    }

    /// <summary>Whether <see cref="DecodeTile{TVector}"/> may widen rows of an element type to floats before multiplying them by queries.</summary>
    /// <param name="element">The elements.</param>
    public static bool MayBeWidened(AttentionElement element) => element == AttentionElement.Float16 || AttentionInput.AreReadTogether(element);

    /// <summary>Keys in a block here.</summary>
    /// <param name="keyBlock">Keys in a block with queries in lanes.</param>
    public static int KeyBlockOf(int keyBlock) => (int)Math.Min((long)BlocksAtOnce * keyBlock, int.MaxValue);

    /// <summary>Where the parts of a worker's memory are for few queries, each of which has a row of queries, scores and outputs.</summary>
    public struct TileLayout
    {
        /// <summary>The numbers of each query.</summary>
        public QueryLayout Queries;

        /// <summary>Q, scaled.</summary>
        public ScratchPart Query;

        /// <summary>S, then P, of the present block: a row for each query, each followed by a vector that may be overwritten.</summary>
        public ScratchPart Score;

        /// <summary>The masks of the present block, likewise.</summary>
        public ScratchPart Bias;

        /// <summary>Floats from row to row of <see cref="Score"/> and <see cref="Bias"/>.</summary>
        public long ScoreStride;

        /// <summary>The factors by which each query's sums and outputs shrink for the present block.</summary>
        public ScratchPart Alpha;

        /// <summary>For each query the first key of the present block that it sees: an int.</summary>
        public ScratchPart BlockStarts;

        /// <summary>For each query the first key of the present block after those that it sees: an int.</summary>
        public ScratchPart BlockLimits;

        /// <summary>A copy of the present block's values without NaN and ±∞; none where the kernel's queries see all keys.</summary>
        public ScratchPart ValueStage;

        /// <summary>The scales of the present block's keys or values, if each has one.</summary>
        public ScratchPart Scales;

        /// <summary><see cref="NearRows"/> keys or values as floats, if these may not be read in place; else none.</summary>
        public ScratchPart Widened;

        /// <summary>The queries times the scales of some keys, a row and a number each, if keys share scales of columns; else none.</summary>
        public ScratchPart Folded;

        /// <summary>O.</summary>
        public ScratchPart Output;

        /// <summary>The rounding errors of adding blocks to O.</summary>
        public ScratchPart OutputRest;

        /// <summary>The contribution of a block of keys to O.</summary>
        public ScratchPart BlockSum;

        /// <summary>The contribution of a part of a block to that.</summary>
        public ScratchPart PartSum;

        /// <summary>l: a double.</summary>
        public ScratchPart Sum;

        /// <summary>A row of O, merged from those of splits: doubles; none if nothing is split.</summary>
        public ScratchPart MergedRow;

        /// <summary>The total number of floats.</summary>
        public long Floats;

        /// <summary>Divides the memory, in place.</summary>
        /// <param name="kernel">The kernel.</param>
        /// <param name="call">The call.</param>
        /// <param name="rows">Queries for which there is room, in whole vectors.</param>
        /// <param name="blockRows">Keys in the largest block.</param>
        /// <param name="isSplit">Whether the keys of some sequence may be cut into splits.</param>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Set(KernelSizes kernel, in AttentionCall call, int rows, int blockRows, bool isSplit)
        {
            // Doubles take the space of two floats.
            const int Double = 2;
            ScratchRuler ruler = default;
            ref readonly CallOperands operands = ref call.Operands;
            long valueDim = operands.ValueDim;
            bool hasMasks = call.Visibility.HasMasks, hasTokenScales = operands.Key.HasTokenScales || operands.Value.HasTokenScales;
            bool areWidened = MayBeWidened(operands.Key.Element) || MayBeWidened(operands.Value.Element);
            long widestRow = Math.Max(operands.HeadDim, valueDim);
            Query = ruler.Next((long)operands.HeadDim * rows);
            Output = ruler.Next(valueDim * rows);
            Queries.Set(call, ref ruler, rows);

            // A block and one more vector, in whole vectors.
            ScoreStride = (blockRows + 2L * kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes;
            Score = ruler.Next(ScoreStride * rows);
            Bias = ruler.Next(ScoreStride * rows, hasMasks);
            Alpha = ruler.Next(rows);
            BlockStarts = ruler.Next(rows);
            BlockLimits = ruler.Next(rows);
            ValueStage = ruler.Next(blockRows * valueDim, kernel.HasRanges);
            Scales = ruler.Next(blockRows, hasTokenScales);
            Widened = ruler.Next(NearRows * widestRow, areWidened);
            Folded = ruler.Next((operands.HeadDim + 1L) * rows, operands.Key.Element == AttentionElement.Int4);
            OutputRest = ruler.Next(valueDim * rows);
            BlockSum = ruler.Next(valueDim * rows);
            PartSum = ruler.Next(valueDim * rows);
            Sum = ruler.Next(Double * rows);
            MergedRow = ruler.Next(Double * valueDim, isSplit);
            Floats = ruler.Floats;
        }
    }
}
