using System;
using System.Runtime.CompilerServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Matrix products with the same number of rows, computed together: the projections of a layer. A tile is a block of rows times a group
/// of panels of one of them. How the products are cut depends on the number of threads. The results do not:
/// every sum is taken in the order of its terms.
/// </summary>
internal unsafe struct ProductCall : ITiledWork
{
    private const int MaxProjections = 3;

    private readonly ProductDriver _driver;
    private Projections _projections;
    private Counts _groups;
    private int _count;
    private int _rowsPerTile;
    private int _rowBlocks;

    /// <param name="driver">The tiles.</param>
    /// <param name="rows">Rows of every A and C.</param>
    public ProductCall(ProductDriver driver, int rows)
    {
        _driver = driver;
        Rows = rows;
    }

    public int Rows { get; }

    /// <inheritdoc/>
    public readonly long Tiles
    {
        get
        {
            long groups = 0;
            for (int i = 0; i < _count; i++)
                groups += _groups[i];
            return groups * _rowBlocks;
        }
    }

    /// <inheritdoc/>
    public readonly double Cost
    {
        get
        {
            double cost = 0;
            for (int i = 0; i < _count; i++)
                cost += ProductCallPlan.Cost(_projections[i].Weights, Rows);
            return cost;
        }
    }

    /// <inheritdoc/>
    public readonly long WorkspaceFloats
    {
        get
        {
            long floats = 0;
            for (int i = 0; i < _count; i++)
                floats = Math.Max(floats, _driver.WorkspaceFloats(_projections[i], _rowsPerTile, (_projections[i].Weights.Panels + _groups[i] - 1) / _groups[i]));
            return floats;
        }
    }

    /// <summary>Adds a product, at most 3 times.</summary>
    public void Add(in Projection projection) => _projections[_count++] = projection;

    /// <summary>Computes all.</summary>
    /// <param name="maxThreads">How many threads may work, the caller's included; 0 or −1 for all processors.</param>
    /// <param name="cancellation">As that of <see cref="TiledJob{TWork}.Run"/>.</param>
    public void Run(int maxThreads, CancellationToken cancellation)
    {
        if (Rows == 0)
            return;
        Divide(ThreadBudget.Of(maxThreads));
        TiledJob<ProductCall>.Run(this, maxThreads, cancellation);
    }

    /// <inheritdoc/>
    public readonly void Run(long tile, long next, Workspace workspace)
    {
        int i = 0;
        for (; tile >= (long)_groups[i] * _rowBlocks; i++)
            tile -= (long)_groups[i] * _rowBlocks;
        (long block, long group) = Math.DivRem(tile, _groups[i]);
        int firstRow = (int)block * _rowsPerTile, panels = _projections[i].Weights.Panels;
        int firstPanel = (int)(group * panels / _groups[i]), endPanel = (int)((group + 1) * panels / _groups[i]);
        _driver.Run(_projections[i], firstRow, Math.Min(_rowsPerTile, Rows - firstRow), firstPanel, endPanel, workspace.Memory);
    }

    /// <summary>Cuts the products into some four tiles per thread: panels first, then rows.</summary>
    private void Divide(int threads)
    {
        int wanted = threads == 1 ? 1 : (int)Math.Min((long)CallPlan.TilesPerThread * threads, int.MaxValue);
        SetRowBlocks(_driver.RowBlock);
        int panels = 0;
        for (int i = 0; i < _count; i++)
            panels += _projections[i].Weights.Panels;
        int groupsWanted = (wanted + _rowBlocks - 1) / _rowBlocks, minPanels = ProductCallPlan.MinPanels(Rows), tiles = 0;
        for (int i = 0; i < _count; i++)
        {
            int own = _projections[i].Weights.Panels;
            long share = ((long)groupsWanted * own + panels - 1) / panels;
            _groups[i] = (int)Math.Clamp(share, 1, Math.Max(1, own / minPanels));
            tiles += _groups[i];
        }

        if (!ProductCallPlan.Streams(Rows) && (long)tiles * _rowBlocks < wanted)
            SetRowBlocks(Math.Max(ProductCallPlan.MinRows, (int)((long)Rows * tiles / wanted)));
    }

    private void SetRowBlocks(int maxRows)
    {
        // The blocks are as even as whole tiles allow.
        _rowBlocks = (int)(((long)Rows + maxRows - 1) / maxRows);
        int rows = (int)(((long)Rows + _rowBlocks - 1) / _rowBlocks), tileRows = _driver.TileRows;
        _rowsPerTile = (rows + tileRows - 1) / tileRows * tileRows;
        _rowBlocks = (int)(((long)Rows + _rowsPerTile - 1) / _rowsPerTile);
    }

    [InlineArray(MaxProjections)]
    private struct Projections
    {
        private Projection _first;
    }

    [InlineArray(MaxProjections)]
    private struct Counts
    {
        private int _first;
    }
}
