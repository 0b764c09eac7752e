using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// How a call is cut into query tiles. A tile's rows read one key-value head; they are rows of one query head, or,
/// where a head has fewer queries than a tile has lanes, rows of all query heads of a group: with few queries the
/// keys and values are then read once a group. The keys of few queries are cut too: a tile is one split of them.
/// </summary>
/// <param name="Batch">Sequences.</param>
/// <param name="Streams">Streams of rows in a sequence: key-value heads if groups are folded, else query heads.</param>
/// <param name="Rows">Rows in a stream: queries, times the heads of a folded group.</param>
/// <param name="TileRows">Rows in a full tile: those of some register tiles.</param>
/// <param name="IsFolded">Whether groups are folded.</param>
/// <param name="Splits">Tiles of the same rows: as many as a sequence may have splits (<see cref="SplitPlan"/>). Where it has fewer, the last are empty.</param>
internal readonly record struct TilePartition(int Batch, int Streams, long Rows, int TileRows, bool IsFolded, int Splits = 1)
{
    /// <summary>Cuts a call.</summary>
    /// <param name="shape">The call's sizes.</param>
    /// <param name="tileRows">Rows in a full tile.</param>
    public static TilePartition Of(in AttentionShape shape, int tileRows)
    {
        int group = shape.KeyValueHeads == 0 ? 0 : shape.QueryHeads / shape.KeyValueHeads;
        return group > 1 && shape.QueryLength < tileRows
            ? new(shape.Batch, shape.KeyValueHeads, (long)group * shape.QueryLength, tileRows, IsFolded: true)
            : new(shape.Batch, shape.QueryHeads, shape.QueryLength, tileRows, IsFolded: false);
    }

    /// <summary>Rows in a stream of this sequence: fewer than <see cref="Rows"/> in a ragged batch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long RowsOf(in Sequence sequence, in AttentionShape shape) =>
        IsFolded ? (long)(shape.QueryHeads / shape.KeyValueHeads) * sequence.QueryLength : sequence.QueryLength;

    /// <summary>Tiles of a stream, each with as many splits.</summary>
    public long TilesPerStream { get; } = (Rows + TileRows - 1) / TileRows;

    public long Tiles => Batch * (long)Streams * TilesPerStream * Splits;

    /// <summary>The next tile of other rows, of the same split; default where there is none.</summary>
    public QueryTile NextRows(long index) => index + Splits < Tiles ? this[index + Splits] : default;

    /// <summary>
    /// The rows of a tile. The last rows of a stream come first: under a causal mask they cost the most. The splits of the same rows follow each
    /// other, so that a thread mostly reads on where it has stopped.
    /// </summary>
    public QueryTile this[long index]
    {
        get
        {
            (long rows, long split) = DivRem(index, Splits);
            (long stream, long tile) = DivRem(rows, TilesPerStream);
            (long batch, long head) = DivRem(stream, Streams);
            long first = (TilesPerStream - 1 - tile) * TileRows;
            return new((int)batch, (int)head, first, (int)Math.Min(TileRows, Rows - first), (int)split, IsFolded);
        }
    }

    /// <summary>A division costs as much as the rest of what is done for a tile of few queries; mostly there is nothing to divide.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (long Quotient, long Remainder) DivRem(long left, long right) => right == 1 ? (left, 0) : left < right ? (0, left) : Math.DivRem(left, right);
}
