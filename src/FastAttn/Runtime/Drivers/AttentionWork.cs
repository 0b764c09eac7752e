namespace FastAttn.Runtime;

/// <summary>One call of a kernel, its buffers pinned: a tile is a query tile.</summary>
/// <param name="driver">The kernel.</param>
/// <param name="call">The call. It stands on the stack of the caller, who waits until no thread works on it.</param>
internal readonly unsafe struct AttentionWork(TileDriver driver, AttentionCall* call) : ITiledWork
{
    public long Tiles => call->Plan.Partition.Tiles;

    public double Cost
    {
        get
        {
            TilePartition partition = call->Plan.Partition;
            int dims = call->Operands.HeadDim + (call->Plan.WantsWeights ? 0 : call->Operands.ValueDim);
            return (double)partition.Batch * partition.Streams * partition.Rows * call->Shape.KeyLength * dims;
        }
    }

    public long WorkspaceFloats => call->Plan.WorkspaceFloats;

    public void Run(long tile, long next, Workspace workspace)
    {
        ref readonly TilePartition partition = ref call->Plan.Partition;
        if (call->Plan.WantsWeights)
            driver.RunWeights(*call, partition[tile], workspace);
        else
            driver.Run(*call, partition[tile], next >= 0 ? partition[next] : default, workspace);
    }
}
