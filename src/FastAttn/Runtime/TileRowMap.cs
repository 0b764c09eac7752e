using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Which query head and position each row of a tile is (<see cref="TilePartition"/>).</summary>
internal readonly struct TileRowMap
{
    private readonly bool _folded;
    private readonly int _batch;
    private readonly int _keyValueHead;
    private readonly int _firstHead;
    private readonly long _firstRow;
    private readonly int _queryHeads;
    private readonly int _queryLength;

    public TileRowMap(in AttentionCall call, in QueryTile tile)
    {
        _folded = call.Partition.Streams != call.Shape.QueryHeads;
        _batch = tile.Batch;
        _keyValueHead = _folded ? tile.Stream : tile.Stream / call.GroupSize;
        _firstHead = _folded ? tile.Stream * call.GroupSize : tile.Stream;
        _firstRow = tile.FirstRow;
        _queryHeads = call.Shape.QueryHeads;
        _queryLength = call.Shape.QueryLength;
    }

    /// <summary>Position in its sequence of row <paramref name="row"/> of the tile.</summary>
    public int Position(int row) => (int)(_folded ? (_firstRow + row) % _queryLength : _firstRow + row);

    /// <summary>Where row <paramref name="row"/> of the tile stands in a buffer of queries or outputs.</summary>
    public long Offset(int row, in AttentionStrides strides) =>
        _batch * strides.Batch + Head(row) * strides.Head + Position(row) * strides.Length;

    /// <summary>Where the tile's key-value head stands in a buffer of keys or values.</summary>
    public long KeyOffset(in AttentionStrides strides) => _batch * strides.Batch + _keyValueHead * strides.Head;

    /// <summary>Where row <paramref name="row"/> of the tile stands in [B, H, Lq].</summary>
    public long LogSumExpIndex(int row) => (_batch * (long)_queryHeads + Head(row)) * _queryLength + Position(row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Head(int row) => _folded ? _firstHead + (_firstRow + row) / _queryLength : _firstHead;
}
