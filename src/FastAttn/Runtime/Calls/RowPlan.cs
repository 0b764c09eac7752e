using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The sizes of a call for sequences of few queries, with the head dimension in lanes.</summary>
internal struct RowPlan
{
    /// <summary>
    /// How many queries of a group of heads are worked on together at most: each has a row of scores, and 64 rows for the 1536 keys of a
    /// block are 0.4 MiB.
    /// </summary>
    public const int MaxRows = 64;

    /// <summary>
    /// Keys, or values, that all queries take before any takes the next: 8 KiB of 128 floats each, which the first-level cache keeps beside the
    /// queries.
    /// </summary>
    public const int NearRows = 16;

    /// <summary>
    /// Key blocks that are taken as one. Keys and values alternate, and where one follows the other the CPU's prefetcher begins again:
    /// 32 query heads over 8, 4096 and 32768 keys, take 1.95 and 17.1 ms with 1, 1.75 and 15.2 with 4, 1.66 and 14.0 with 16, 1.61 and
    /// 13.6 with 48 (Zen 4), which need as much more memory for scores.
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

        // There is room for the queries of a tile, and for those of a group that is folded beside longer sequences, in whole vectors; and for all keys where they are fewer than
        // a block.
        long queries = Math.Min(MaxRows, Math.Max(Math.Min(partition.TileRows, partition.Rows), (long)call.GroupSize * Math.Min(call.Shape.QueryLength, maxFewQueries)));
        int rows = (int)((queries + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes);
        Tile.Set(rows, kernel.Lanes, Math.Min(KeyBlock, call.Shape.KeyLength), call, partition.Splits > 1);
    }

    /// <summary>Whether <see cref="DecodeTile{TVector}"/> may make rows of such elements floats before queries meet them.</summary>
    /// <param name="element">The elements.</param>
    public static bool MayBeWidened(AttentionElement element) => element == AttentionElement.Float16 || AttentionInput.AreReadTogether(element);

    /// <summary>Keys in a block here.</summary>
    /// <param name="keyBlock">Keys in a block with queries in lanes.</param>
    public static int KeyBlockOf(int keyBlock) => (int)Math.Min((long)BlocksAtOnce * keyBlock, int.MaxValue);

    /// <summary>Where the parts of a worker's memory are for few queries, which have a row each of queries, scores and outputs.</summary>
    public struct TileLayout
    {
        /// <summary>What each query has.</summary>
        public QueryLayout Queries;

        /// <summary>Q, scaled.</summary>
        public ScratchPart Query;

        /// <summary>S, then P, of the present block: after the row of each query a vector that may be written.</summary>
        public ScratchPart Score;

        /// <summary>The masks of the present block, likewise.</summary>
        public ScratchPart Bias;

        /// <summary>Floats from query to query of both.</summary>
        public long ScoreStride;

        /// <summary>By how much each query's sums and outputs shrink for the present block.</summary>
        public ScratchPart Alpha;

        /// <summary>For each query the first key of the present block that it sees: an int.</summary>
        public ScratchPart BlockStarts;

        /// <summary>For each query the first key of the present block after those that it sees: an int.</summary>
        public ScratchPart BlockLimits;

        /// <summary>A copy of the present block's values.</summary>
        public ScratchPart ValueStage;

        /// <summary>The scales of the present block's keys or values, where each has one.</summary>
        public ScratchPart Scales;

        /// <summary><see cref="NearRows"/> keys or values as floats, where these may not be read as they lie; else none.</summary>
        public ScratchPart Widened;

        /// <summary>The queries times the scales of some keys, a row and a number each, where keys share scales of columns; else none.</summary>
        public ScratchPart Folded;

        /// <summary>O.</summary>
        public ScratchPart Output;

        /// <summary>What the additions of blocks have rounded off O.</summary>
        public ScratchPart OutputRest;

        /// <summary>What a block of keys adds to O.</summary>
        public ScratchPart BlockSum;

        /// <summary>What a part of a block adds to that.</summary>
        public ScratchPart PartSum;

        /// <summary>l: a double.</summary>
        public ScratchPart Sum;

        /// <summary>A row of O, merged from those of splits: doubles; none where nothing is split.</summary>
        public ScratchPart MergedRow;

        /// <summary>Floats of all.</summary>
        public long Floats;

        /// <summary>Divides the memory, in place.</summary>
        /// <param name="rows">Queries that there is room for, in whole vectors.</param>
        /// <param name="lanes">Floats in a vector.</param>
        /// <param name="blockRows">Keys in the largest block.</param>
        /// <param name="call">The call.</param>
        /// <param name="isSplit">Whether the keys of some sequence may be cut into splits.</param>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Set(int rows, int lanes, int blockRows, in AttentionCall call, bool isSplit)
        {
            // Doubles take the room of two floats.
            const int Double = 2;
            ScratchRuler ruler = default;
            long valueDim = call.Operands.ValueDim;
            ref readonly CallOperands operands = ref call.Operands;
            bool hasMasks = call.Visibility.HasMasks, hasTokenScales = operands.Key.HasTokenScales || operands.Value.HasTokenScales;
            bool areWidened = MayBeWidened(operands.Key.Element) || MayBeWidened(operands.Value.Element);
            long widestRow = Math.Max(operands.HeadDim, valueDim);
            Query = ruler.Next((long)call.Operands.HeadDim * rows);
            Output = ruler.Next(valueDim * rows);
            Queries.Set(ref ruler, rows, hasMasks, (call.Uses & AttentionFeatures.Alibi) != 0, (call.Uses & AttentionFeatures.Sinks) != 0);
            ScoreStride = (blockRows + 2L * lanes - 1) / lanes * lanes;
            Score = ruler.Next(ScoreStride * rows);
            Bias = ruler.Next(ScoreStride * rows, hasMasks);
            Alpha = ruler.Next(rows);
            BlockStarts = ruler.Next(rows);
            BlockLimits = ruler.Next(rows);
            ValueStage = ruler.Next(blockRows * valueDim);
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
