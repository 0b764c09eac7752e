namespace FastAttn.Runtime;

/// <summary>One call of a kernel, its buffers pinned: a tile is a query tile.</summary>
/// <param name="driver">The kernel.</param>
/// <param name="call">The call.</param>
internal readonly struct AttentionWork(TileDriver driver, in AttentionCall call) : ITiledWork
{
    private readonly AttentionCall _call = call;

    public long Tiles => _call.Partition.Tiles;

    public double Cost =>
        (double)_call.Partition.Batch * _call.Partition.Streams * _call.Partition.Rows * _call.Shape.KeyLength * (_call.HeadDim + _call.ValueDim);

    public long WorkspaceFloats => driver.WorkspaceFloats(_call);

    public void Run(long tile, long next, Workspace workspace) =>
        driver.Run(_call, _call.Partition[tile], next >= 0 ? _call.Partition[next] : default, workspace);
}
