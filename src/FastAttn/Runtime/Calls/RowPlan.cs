using System;

namespace FastAttn.Runtime;

/// <summary>The sizes of a call for sequences of few queries, with the head dimension in lanes.</summary>
internal readonly struct RowPlan
{
    /// <summary>
    /// Queries of a group of heads that are worked on together: memory for scores is so many times a block. A choice, not a measurement: it
    /// holds 64 query heads of a key-value head, and 64 rows of scores are 0.4 MiB.
    /// </summary>
    public const int MaxRows = 64;

    /// <summary>
    /// Key blocks that are taken as one. Keys and values alternate, and where one follows the other the CPU's prefetcher begins anew:
    /// 32 query heads over 8, 4096 and 32768 keys, take 1.95 and 17.1 ms with 1, 1.75 and 15.2 with 4, 1.66 and 14.0 with 16, 1.61 and
    /// 13.6 with 48 (Zen 4), which need as much more memory for scores.
    /// </summary>
    private const int BlocksAtOnce = 16;

    /// <summary>Keys in a block here.</summary>
    public readonly int KeyBlock;

    /// <summary>Where the parts of a worker's memory stand.</summary>
    public readonly RowTileLayout Tile;

    /// <param name="kernel">The kernel.</param>
    /// <param name="call">The call.</param>
    /// <param name="keyBlock">Keys in a block with queries in lanes.</param>
    /// <param name="partition">How the call is cut.</param>
    public RowPlan(in KernelSizes kernel, in AttentionCall call, int keyBlock, in TilePartition partition)
    {
        KeyBlock = (int)Math.Min((long)BlocksAtOnce * keyBlock, int.MaxValue);

        // As many queries as a tile has, in whole vectors; and all keys where they are fewer than a block.
        long queries = Math.Min(MaxRows, Math.Min(partition.TileRows, partition.Rows));
        int rows = (int)((queries + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes);
        Tile = new(rows, Math.Min(KeyBlock, call.Shape.KeyLength), call);
    }
}
