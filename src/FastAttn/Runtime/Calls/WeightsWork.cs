namespace FastAttn.Runtime;

/// <summary>One call for the weights of a kernel, its buffers pinned: a tile is a query tile.</summary>
/// <param name="driver">The kernel.</param>
/// <param name="call">The call; its output is the weights.</param>
internal readonly struct WeightsWork(TileDriver driver, in AttentionCall call) : ITiledWork
{
    private readonly AttentionCall _call = call;

    public long Tiles => _call.Partition.Tiles;

    public double Cost => (double)_call.Partition.Batch * _call.Partition.Streams * _call.Partition.Rows * _call.Shape.KeyLength * _call.HeadDim;

    public long WorkspaceFloats => driver.WeightsWorkspaceFloats(_call);

    public void Run(long tile, long next, Workspace workspace) => driver.RunWeights(_call, _call.Partition[tile], workspace);
}
