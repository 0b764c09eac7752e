using System;

namespace FastAttn.Runtime;

/// <summary>The sizes of a call with queries in lanes, for the register tiles of one vector width.</summary>
internal readonly struct LanePlan
{
    /// <summary>Queries in the widest register tile: floats from row to row of what has a lane for each query.</summary>
    public readonly int RegisterRows;

    /// <summary>Columns of the output: the value dimension, padded to whole register tiles; 0 where no values are read.</summary>
    public readonly int ValueColumns;

    /// <summary>Whether the keys are more than one part (<see cref="CallPlan.KeysPerPart"/>).</summary>
    public readonly bool HasParts;

    /// <summary>The memory that belongs to the present key block.</summary>
    public readonly LaneBlockLayout Block;

    /// <summary>The memory of each register tile.</summary>
    public readonly LaneTileLayout Tile;

    /// <param name="kernel">The kernel.</param>
    /// <param name="call">The call.</param>
    /// <param name="keyBlock">Keys in a block.</param>
    /// <param name="hasParts">Whether the keys are more than one part.</param>
    /// <param name="wantsWeights">Whether the softmax's weights are the output, and no values are read.</param>
    public LanePlan(in KernelSizes kernel, in AttentionCall call, int keyBlock, bool hasParts, bool wantsWeights)
    {
        bool hasMasks = call.Visibility.HasMasks, hasAlibi = (call.Uses & AttentionFeatures.Alibi) != 0, hasSinks = (call.Uses & AttentionFeatures.Sinks) != 0;
        int headDim = call.Operands.HeadDim;
        RegisterRows = kernel.RegisterRows;
        ValueColumns = wantsWeights ? 0 : PaddedColumns(kernel, call.Operands.ValueDim);
        HasParts = hasParts;

        // The largest block that a register tile is given: all keys where they are fewer than a block, but never fewer than its height.
        int blockRows = Math.Max(Math.Min(keyBlock, call.Shape.KeyLength), kernel.KeyRows);
        Block = new(RegisterRows, blockRows, headDim, ValueColumns, wantsWeights ? blockRows : ValueColumns, kernel.HasRanges, hasMasks || hasAlibi, hasAlibi);
        Tile = new(RegisterRows, headDim, ValueColumns, HasParts, hasMasks, hasAlibi, hasSinks);
    }

    /// <summary>The columns of a row of values, padded to whole register tiles.</summary>
    public static int PaddedColumns(in KernelSizes kernel, int valueDim) => (valueDim + kernel.ValueRows - 1) / kernel.ValueRows * kernel.ValueRows;

    /// <summary>Floats of scratch memory that a worker needs for as many queries.</summary>
    public long WorkspaceFloats(int queries) => Block.Floats + (queries + RegisterRows - 1) / RegisterRows * Tile.Floats;
}
