using System.Collections.Generic;

using FastAttn.Runtime;

using Xunit;

namespace FastAttn.Tests;

/// <summary>How a call is cut into query tiles, and in which order they come.</summary>
public static class TilePartitionTests
{
    private const int TileRows = 24;

    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(1, 1, true)]
    [InlineData(24, 1, false)]
    [InlineData(25, 1, true)]
    [InlineData(61, 1, false)]
    [InlineData(61, 1, true)]
    [InlineData(7, 3, false)]
    [InlineData(7, 3, true)]
    public static void Each_row_is_in_one_tile_of_each_split(int queryLength, int splits, bool lastComeFirst)
    {
        TilePartition partition = PartitionOf(batch: 2, queryHeads: 6, keyValueHeads: 2, queryLength, splits, lastComeFirst);

        var seen = new HashSet<(int Batch, int Stream, long Row, int Split)>();
        for (long i = 0; i < partition.Tiles; i++)
        {
            QueryTile tile = partition[i];
            Assert.InRange(tile.RowCount, 1, TileRows);
            for (int row = 0; row < tile.RowCount; row++)
                Assert.True(seen.Add((tile.Batch, tile.Stream, tile.FirstRow + row, tile.Split)));
        }

        Assert.Equal(2 * 6 * queryLength * splits, seen.Count);
    }

    [Fact]
    public static void Tile_that_brings_a_head_near_is_a_full_one()
    {
        TilePartition partition = PartitionOf(batch: 1, queryHeads: 2, keyValueHeads: 2, queryLength: 61, splits: 1, lastComeFirst: false);

        Assert.Equal([0, 24, 48, 0, 24, 48], FirstRows(partition));
        Assert.Equal([0, 3], FirstOfStreams(partition, streamRows: 61));
    }

    [Fact]
    public static void Tile_that_sees_most_of_a_causal_mask_comes_first()
    {
        TilePartition partition = PartitionOf(batch: 1, queryHeads: 2, keyValueHeads: 2, queryLength: 61, splits: 1, lastComeFirst: true);

        Assert.Equal([48, 24, 0, 48, 24, 0], FirstRows(partition));
        Assert.Equal([0, 3], FirstOfStreams(partition, streamRows: 61));
    }

    /// <summary>Tiles past the end of a short sequence are empty, and so is what they would bring near.</summary>
    [Fact]
    public static void First_tile_of_a_shorter_sequence_is_the_first_that_has_rows()
    {
        TilePartition partition = PartitionOf(batch: 1, queryHeads: 1, keyValueHeads: 1, queryLength: 61, splits: 1, lastComeFirst: true);

        Assert.False(partition.IsFirstOfStream(partition[2], streamRows: 30));
        Assert.True(partition.IsFirstOfStream(partition[1], streamRows: 30));
    }

    [Fact]
    public static void Next_tile_is_of_other_rows()
    {
        TilePartition partition = PartitionOf(batch: 1, queryHeads: 2, keyValueHeads: 2, queryLength: 20, splits: 3, lastComeFirst: false);

        Assert.Equal((1, 2), (partition.NextRows(2).Stream, partition.NextRows(2).Split));
        Assert.Equal(default, partition.NextRows(3));
    }

    [Fact]
    public static void More_tiles_than_an_int_counts_are_told_apart()
    {
        const int Splits = 1 << 20;
        TilePartition partition = PartitionOf(batch: 1 << 15, queryHeads: 1 << 10, keyValueHeads: 1 << 10, queryLength: 1, Splits, lastComeFirst: false);

        Assert.Equal(1L << 45, partition.Tiles);
        Assert.Equal(new((1 << 15) - 1, (1 << 10) - 1, 0, 1, Splits - 1, IsFolded: false), partition[partition.Tiles - 1]);
    }

    private static TilePartition PartitionOf(int batch, int queryHeads, int keyValueHeads, int queryLength, int splits, bool lastComeFirst)
    {
        AttentionCall call = default;
        call.Shape = new(batch, queryHeads, keyValueHeads, queryLength, keyLength: 1);
        call.GroupSize = queryHeads / keyValueHeads;
        TilePartition partition = default;
        partition.Set(call, TileRows, splits, lastComeFirst);
        return partition;
    }

    private static List<long> FirstRows(in TilePartition partition)
    {
        List<long> rows = [];
        for (long i = 0; i < partition.Tiles; i++)
            rows.Add(partition[i].FirstRow);
        return rows;
    }

    private static List<long> FirstOfStreams(in TilePartition partition, long streamRows)
    {
        List<long> tiles = [];
        for (long i = 0; i < partition.Tiles; i++)
        {
            if (partition.IsFirstOfStream(partition[i], streamRows))
                tiles.Add(i);
        }

        return tiles;
    }
}
