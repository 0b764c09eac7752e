namespace FastAttn.Runtime;

/// <summary>One call for the weights of a kernel, its buffers pinned: a tile is a query tile.</summary>
/// <param name="driver">The kernel.</param>
/// <param name="call">The call; its output is the weights. It stands on the stack of the caller, who waits until no thread works on it.</param>
internal readonly unsafe struct WeightsWork(TileDriver driver, AttentionCall* call) : ITiledWork
{
    public long Tiles => call->Plan.Partition.Tiles;

    public double Cost
    {
        get
        {
            TilePartition partition = call->Plan.Partition;
            return (double)partition.Batch * partition.Streams * partition.Rows * call->Shape.KeyLength * call->Operands.HeadDim;
        }
    }

    public long WorkspaceFloats => call->Plan.WorkspaceFloats;

    public void Run(long tile, long next, Workspace workspace) => driver.RunWeights(*call, call->Plan.Partition[tile], workspace);
}
