namespace FastAttn.Runtime;

/// <summary>One call of a kernel, its buffers pinned: a tile is a query tile.</summary>
/// <param name="driver">The kernel.</param>
/// <param name="call">The call.</param>
internal readonly struct AttentionWork(TileDriver driver, in AttentionCall call) : ITiledWork
{
    private readonly AttentionCall _call = call;

    public long Tiles => _call.Plan.Partition.Tiles;

    public double Cost
    {
        get
        {
            TilePartition partition = _call.Plan.Partition;
            return (double)partition.Batch * partition.Streams * partition.Rows * _call.Shape.KeyLength * (_call.Operands.HeadDim + _call.Operands.ValueDim);
        }
    }

    public long WorkspaceFloats => _call.Plan.WorkspaceFloats;

    public void Run(long tile, long next, Workspace workspace) =>
        driver.Run(_call, _call.Plan.Partition[tile], next >= 0 ? _call.Plan.Partition[next] : default, workspace);
}
