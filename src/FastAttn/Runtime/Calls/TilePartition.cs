using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// How a call is cut into query tiles. A tile's rows read one key-value head; they are rows of one query head, or,
/// if a head has fewer queries than a tile has lanes, rows of all query heads of a group: with few queries the
/// keys and values are then read once per group. The keys of few queries are cut too: a tile is one split of them.
/// </summary>
internal struct TilePartition
{
    /// <summary>Sequences.</summary>
    public int Batch;

    /// <summary>Streams of rows in a sequence: key-value heads if groups are folded, else query heads.</summary>
    public int Streams;

    /// <summary>Rows in a full tile: those of one or more register tiles.</summary>
    public int TileRows;

    /// <summary>Rows in a stream: queries, times the heads of a folded group.</summary>
    public long Rows;

    /// <summary>Tiles of the same rows: as many as a sequence may have splits (<see cref="SplitPlan"/>). If it has fewer, the last are empty.</summary>
    public int Splits;

    /// <summary>Whether groups are folded.</summary>
    public bool IsFolded;

    /// <summary>
    /// Whether the last rows of a stream come first: under a causal mask they cost the most. Otherwise the first do, since the tile that brings a head's keys and values into the
    /// core's caches should be a full one, whose work covers the wait.
    /// </summary>
    public bool LastComeFirst;

    /// <summary>Cuts a call.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tileRows">Rows in a full tile.</param>
    /// <param name="splits">Tiles of the same rows.</param>
    /// <param name="lastComeFirst">Whether the last rows of a stream come first.</param>
    public void Set(in AttentionCall call, int tileRows, int splits, bool lastComeFirst)
    {
        ref readonly AttentionShape shape = ref call.Shape;
        IsFolded = call.GroupSize > 1 && shape.QueryLength < tileRows;
        Batch = shape.Batch;
        Streams = IsFolded ? shape.KeyValueHeads : shape.QueryHeads;
        Rows = IsFolded ? (long)call.GroupSize * shape.QueryLength : shape.QueryLength;
        TileRows = tileRows;
        Splits = splits;
        LastComeFirst = lastComeFirst;
    }

    /// <summary>Rows in a stream of this sequence: fewer than <see cref="Rows"/> in a ragged batch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long RowsOf(in Sequence sequence, int groupSize) => IsFolded ? (long)groupSize * sequence.QueryLength : sequence.QueryLength;

    /// <summary>Tiles of a stream, each of which has as many splits.</summary>
    public readonly long TilesPerStream => Rows <= TileRows ? Math.Min(Rows, 1) : (Rows + TileRows - 1) / TileRows;

    /// <summary>Tiles of the call.</summary>
    public readonly long Tiles => Batch * (long)Streams * TilesPerStream * Splits;

    /// <summary>The next tile of other rows, of the same split; default if there is none.</summary>
    public readonly QueryTile NextRows(long index) => index + Splits < Tiles ? this[index + Splits] : default;

    /// <summary>The first tile of a stream that has at least a given number of rows.</summary>
    public readonly bool IsFirstOfStream(in QueryTile tile, long streamRows) => LastComeFirst ? tile.FirstRow + tile.RowCount >= streamRows : tile.FirstRow == 0;

    /// <summary>The rows of a tile. The splits of the same rows follow each other, so that a thread usually reads on where it stopped.</summary>
    public readonly QueryTile this[long index]
    {
        get
        {
            long tilesPerStream = TilesPerStream;
            (long rows, long split) = DivRem(index, Splits);
            (long stream, long tile) = DivRem(rows, tilesPerStream);
            (long batch, long head) = DivRem(stream, Streams);
            long first = (LastComeFirst ? tilesPerStream - 1 - tile : tile) * TileRows;
            return new((int)batch, (int)head, first, (int)Math.Min(TileRows, Rows - first), (int)split, IsFolded);
        }
    }

    /// <summary>A division costs as much as everything else that is done for a tile of few queries; usually none is needed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (long Quotient, long Remainder) DivRem(long left, long right) => right == 1 ? (left, 0) : left < right ? (0, left) : Math.DivRem(left, right);
}
