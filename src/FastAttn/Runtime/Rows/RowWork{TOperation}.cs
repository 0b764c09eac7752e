using System;

namespace FastAttn.Runtime;

/// <summary>Distributes rows among threads, each row whole: a tile is some rows.</summary>
/// <param name="operation">The operation; what it points to stays in place until the work is done.</param>
/// <typeparam name="TOperation">The operation.</typeparam>
internal readonly struct RowWork<TOperation>(TOperation operation) : ITiledWork
    where TOperation : struct, IRowOperation
{
    // 64 KiB of one buffer: some microseconds, long compared with claiming a tile. A choice, not a measurement.
    private const int TileFloats = 1 << 14;

    /// <inheritdoc/>
    public long Tiles => (operation.Rows + RowsPerTile - 1) / RowsPerTile;

    /// <inheritdoc/>
    public double Cost
    {
        get
        {
            // An element takes as long as some multiply-adds of a product, whether for arithmetic or for memory. A choice, not a measurement.
            const double PerElement = 8;
            return PerElement * operation.Rows * operation.RowFloats;
        }
    }

    /// <inheritdoc/>
    public long WorkspaceFloats => 0;

    private long RowsPerTile => Math.Max(1, TileFloats / operation.RowFloats);

    /// <inheritdoc/>
    public void Run(long tile, long next, Workspace workspace)
    {
        long first = tile * RowsPerTile;
        operation.Run(first, Math.Min(RowsPerTile, operation.Rows - first));
    }
}
