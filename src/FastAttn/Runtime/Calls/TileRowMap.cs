using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The query head and position of each row of a tile (<see cref="TilePartition"/>).</summary>
internal struct TileRowMap
{
    private Sequence _sequence;
    private bool _folded;
    private bool _ragged;
    private int _keyValueHead;
    private int _firstHead;
    private long _firstRow;
    private int _queryHeads;
    private long _queryTokens;

    /// <summary>Maps a tile, in place: copying what was just written costs more than writing it.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="sequence">Its sequence.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Set(in AttentionCall call, in QueryTile tile, in Sequence sequence)
    {
        _sequence = sequence;
        _folded = tile.IsFolded;
        _ragged = (call.Uses & AttentionFeatures.Ragged) != 0;
        _keyValueHead = _folded ? tile.Stream : tile.Stream / call.GroupSize;
        _firstHead = _folded ? tile.Stream * call.GroupSize : tile.Stream;
        _firstRow = tile.FirstRow;
        _queryHeads = call.Shape.QueryHeads;
        _queryTokens = _ragged ? call.Operands.QueryTokens : call.Shape.QueryLength;
    }

    /// <summary>The sequence if keys and values have a batch axis, else 0.</summary>
    public readonly int KeyBatch => _sequence.KeyBatch;

    /// <summary>The key-value head that all rows read.</summary>
    public readonly int KeyValueHead => _keyValueHead;

    /// <summary>The token with which the sequence's keys begin.</summary>
    public readonly int KeyStart => _sequence.KeyStart;

    /// <summary>Whether all rows belong to one query head, so that each is a query stride after the last.</summary>
    public readonly bool IsOneHead => !_folded;

    /// <summary>Position in its sequence of row <paramref name="row"/> of the tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Position(int row) => (int)(_folded ? (_firstRow + row) % _sequence.QueryLength : _firstRow + row);

    /// <summary>Query head of row <paramref name="row"/> of the tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Head(int row) => _folded ? _firstHead + (int)((_firstRow + row) / _sequence.QueryLength) : _firstHead;

    /// <summary>The offset of row <paramref name="row"/> of the tile in a buffer of queries or outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long Offset(int row, in AttentionStrides strides) =>
        _sequence.QueryBatch * strides.Batch + Head(row) * strides.Head + (_sequence.QueryStart + Position(row)) * strides.Length;

    /// <summary>Where the mask row of row <paramref name="row"/> of the tile begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long MaskOffset(int row, in MaskLayout layout) =>
        _sequence.Index * layout.Batch + Head(row) * layout.Head + Position(row) * layout.Query;

    /// <summary>The offset of row <paramref name="row"/> of the tile in [B, H, Lq], or in [H, T] if sequences are ragged.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long LogSumExpIndex(int row) =>
        (_sequence.QueryBatch * (long)_queryHeads + Head(row)) * _queryTokens + _sequence.QueryStart + Position(row);
}
