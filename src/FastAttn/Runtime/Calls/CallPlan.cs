using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Every size that depends on a call: how it is cut into query tiles and key blocks, how its sums are cut, and how the memory of a worker is
/// divided. Sizes that depend on the kernel and instruction set alone come from it (<see cref="KernelSizes"/>).
/// </summary>
/// <remarks>A plan is half a kilobyte. It and its parts are written in place: returned by value, each would be copied several times, which took some 100 of the 750 ns of a call of one token.</remarks>
internal struct CallPlan
{
    /// <summary>Key blocks in a part of the keys: a choice, not a measurement. See <see cref="KeysPerPart"/>.</summary>
    private const int BlocksPerPart = 32;

    /// <summary>Query tiles per thread: with fewer, some threads would wait for the last to finish.</summary>
    public const int TilesPerThread = 4;

    /// <summary>Threads that may work.</summary>
    public int Threads;

    /// <summary>Keys in a block with queries in lanes; the kernel's own number unless a test forces another.</summary>
    public int KeyBlock;

    /// <summary>
    /// Keys of a part: blocks are added to those of their part, parts to the parts before, since rounding errors grow with the number of
    /// terms. As <see cref="LongSum{TVector}"/> keeps the rounding errors of adding parts, the error over a million keys is an ulp or two.
    /// </summary>
    public int KeysPerPart;

    /// <summary>
    /// The number of queries of a sequence up to which the head dimension is in lanes: half a vector's lanes, the number up to which this was
    /// measured to be faster. The heads of a group do not count, so that grouped heads give the same bits as repeated ones. On AVX2, 5 and 6 queries over 512 keys and more would take 0.77 to 0.96
    /// of the time, but 1.15 to 1.5 in groups of 8 heads, which fill whole register tiles (Zen 4).
    /// </summary>
    public int MaxFewQueries;

    /// <summary>
    /// The largest number of last queries of a tile that register tiles of half the width take: those that fit half a vector. 0 if
    /// the kernel has no such tiles.
    /// </summary>
    public int MaxNarrowQueries;

    /// <summary>
    /// Whether the last queries of a tile are left to narrower register tiles if the others fill whole vectors. 24 queries over 512 keys of 64 and of 128 floats then take 0.82 of the time, 40
    /// take 0.90 (AVX-512, Zen 4). Keys and values are read once more for them: if these are copied, or are too far apart or too many for the core's own cache, it would cost 7 to 79%.
    /// </summary>
    public bool SplitsTiles;

    /// <summary>
    /// Whether to prefetch: whether queries, keys, values and outputs exceed 2 MiB, about what a core's caches
    /// hold. Below that, prefetching costs up to 9% of a short call.
    /// </summary>
    public bool AsksAhead;

    /// <summary>Whether the softmax's weights are the output, and no values are read.</summary>
    public bool WantsWeights;

    /// <summary>How the keys of sequences of few queries are cut.</summary>
    public SplitPlan Splits;

    /// <summary>How the call is cut into query tiles.</summary>
    public TilePartition Partition;

    /// <summary>Floats of scratch memory that a worker needs.</summary>
    public long WorkspaceFloats;

    /// <summary>The sizes with queries in lanes, if a sequence may have so many.</summary>
    public LanePlan Lanes;

    /// <summary>The same for register tiles of half the width.</summary>
    public LanePlan NarrowLanes;

    /// <summary>The sizes with the head dimension in lanes, if a sequence may have so few queries.</summary>
    public RowPlan Rows;

    /// <summary>Plans a call. The plan must be all zeros before.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="narrow">The kernel with vectors of half the width; null for none.</param>
    /// <param name="call">The checked call.</param>
    /// <param name="keyBlock">Keys in a block; null for the kernel's own number.</param>
    /// <param name="threads">Threads that may work.</param>
    /// <param name="wantsWeights">Whether the softmax's weights are the output, and no values are read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(KernelSizes kernel, KernelSizes? narrow, in AttentionCall call, int? keyBlock, int threads, bool wantsWeights)
    {
        Threads = threads;
        WantsWeights = wantsWeights;
        KeyBlock = keyBlock ?? kernel.KeyBlock;
        KeysPerPart = (int)Math.Min((long)BlocksPerPart * KeyBlock, int.MaxValue);
        MaxFewQueries = kernel.Lanes / 2;
        MaxNarrowQueries = narrow is null ? 0 : kernel.Lanes / 2;
        double keyValueBytes = KeyValueBytes(call);
        AsksAhead = IsLarge(call, keyValueBytes);
        bool haveAllFew = !wantsWeights && call.Shape.QueryLength <= MaxFewQueries;

        // The shape's lengths are the longest: any sequence of a padded or ragged batch may be short.
        bool haveSomeFew = haveAllFew || (!wantsWeights && (call.Uses & (AttentionFeatures.Ragged | AttentionFeatures.Lengths)) != 0);
        Splits = haveSomeFew ? SplitPlan.Of(call, RowPlan.KeyBlockOf(KeyBlock), MaxFewQueries) : SplitPlan.None;
        Cut(call, kernel, wantsWeights ? 1 : MaxQueryTiles(kernel, call, KeyBlock, keyValueBytes), haveAllFew);

        bool hasParts = !wantsWeights && call.Shape.KeyLength > KeysPerPart;
        if (wantsWeights)
        {
            // One register tile of full width after the other.
            Lanes.Set(kernel, call, KeyBlock, hasParts, wantsWeights);
            WorkspaceFloats = Lanes.WorkspaceFloats(kernel.RegisterRows);
            return;
        }

        if (haveSomeFew)
        {
            Rows.Set(kernel, call, KeyBlock, Partition, MaxFewQueries);
            WorkspaceFloats = Rows.Tile.Floats;
        }

        if (haveAllFew)
            return;
        Lanes.Set(kernel, call, KeyBlock, hasParts, wantsWeights);
        WorkspaceFloats = Math.Max(WorkspaceFloats, Lanes.WorkspaceFloats(Partition.TileRows));
        if (narrow is not null)
        {
            NarrowLanes.Set(narrow, call, KeyBlock, hasParts, wantsWeights);
            SplitsTiles = !Lanes.CopiesKeys && !Lanes.CopiesValues && AreNear(call, keyValueBytes);
            WorkspaceFloats = Math.Max(WorkspaceFloats, NarrowLanes.WorkspaceFloats(MaxNarrowQueries));
        }
    }

    private static bool IsLarge(in AttentionCall call, double keyValueBytes)
    {
        const double CacheBytes = 2 * 1024 * 1024;
        ref readonly AttentionShape shape = ref call.Shape;
        ref readonly CallOperands operands = ref call.Operands;
        long query = CallOperands.BytesOf(operands.QueryElement, operands.HeadDim), output = CallOperands.BytesOf(operands.OutputElement, operands.ValueDim);
        double queries = (double)shape.QueryHeads * shape.QueryLength * (query + output);
        return shape.Batch * (queries + keyValueBytes) > CacheBytes;
    }

    /// <summary>
    /// The largest number of register tiles in a query tile. Sharing key blocks pays if they are copied, and if a head's keys and values are more than a cache holds,
    /// so that each query tile reads them from a slower one. With 24 queries or fewer in a register tile that is the core's own cache: with head dimension 128 and 2048 tokens on
    /// AVX2 sharing gains 3 to 5% (Zen 3 with 512 KiB, Zen 4 with 1 MiB), with 64 up to 2%, and 4096 tokens lose up to 1.5% on Zen 4. Tiles of 48 queries need half the
    /// bytes for the same work: there it loses 1% on Zen 4 up to 4 MiB, about its share of the last-level cache, and gains 10% beyond.
    /// </summary>
    private static int MaxQueryTiles(KernelSizes kernel, in AttentionCall call, int keyBlock, double keyValueBytes)
    {
        const int NarrowRows = 24;
        const long LastCacheBytes = 4 * 1024 * 1024;
        ref readonly CallOperands operands = ref call.Operands;
        long cacheBytes = kernel.RegisterRows <= NarrowRows ? Math.Min(CoreCache.Bytes, LastCacheBytes) : LastCacheBytes;
        return LanePlan.Copies(kernel, operands, keyBlock) || keyValueBytes > (double)cacheBytes * call.Shape.KeyValueHeads ? kernel.QueryTiles : 1;
    }

    /// <summary>Whether the keys and values of a head are still in the core's own cache when they are read again.</summary>
    private static bool AreNear(in AttentionCall call, double keyValueBytes)
    {
        ref readonly CallOperands operands = ref call.Operands;
        bool adjoin = operands.Key.Strides.Length == operands.HeadDim && operands.Value.Strides.Length == operands.ValueDim;
        return adjoin && keyValueBytes <= (double)CoreCache.Bytes / 2 * call.Shape.KeyValueHeads;
    }

    /// <summary>Bytes of the keys and values of a sequence.</summary>
    private static double KeyValueBytes(in AttentionCall call)
    {
        ref readonly CallOperands operands = ref call.Operands;
        long key = AttentionInput.BytesOf(operands.Key.Element, operands.HeadDim), value = AttentionInput.BytesOf(operands.Value.Element, operands.ValueDim);
        return (double)call.Shape.KeyValueHeads * call.Shape.KeyLength * (key + value);
    }

    /// <summary>Cuts a call into the largest query tiles that still give all threads something to do. Splits do that if all sequences have them.</summary>
    private void Cut(in AttentionCall call, KernelSizes kernel, int queryTiles, bool haveAllFew)
    {
        Partition.Set(call, kernel.RegisterRows * queryTiles, haveAllFew ? Splits.Max : 1, kernel.HasRanges);
        while (queryTiles > 1 && Threads > 1 && Partition.Tiles < (long)TilesPerThread * Threads)
            Partition.Set(call, kernel.RegisterRows * (queryTiles /= 2), Partition.Splits, kernel.HasRanges);
        Partition.Splits = Splits.Max;
    }
}
