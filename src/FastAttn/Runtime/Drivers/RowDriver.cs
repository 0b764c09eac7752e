using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Attention of few queries, key block by key block, with the head dimension in lanes (<see cref="DecodeTile{TVector}"/>).</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal static unsafe class RowDriver<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    /// <summary>Computes the rows of a tile.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The rows.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="workspace">Scratch memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in AttentionCall call, in QueryTile tile, in Sequence sequence, Workspace workspace)
    {
        for (int first = 0; first < tile.RowCount; first += RowPlan.MaxRows)
        {
            QueryTile rows = tile with { FirstRow = tile.FirstRow + first, RowCount = Math.Min(RowPlan.MaxRows, tile.RowCount - first) };
            RowTile<TVector, TSpec> queries = new(call, rows, sequence, workspace.Memory);
            queries.PackQuery(call, HeadRows.Keys(call.Operands, queries.Queries.Rows).ColumnScales);

            // As with many queries, the output shows in the end whether a value has reached a query that may not see it.
            if (!Take(call, queries, KeysAndValues(call, queries, workspace.Memory, careful: false)))
                Take(call, queries, KeysAndValues(call, queries, workspace.Memory, careful: true));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static KeyValueBlocks<TVector> KeysAndValues(in AttentionCall call, in RowTile<TVector, TSpec> tile, float* memory, bool careful) => new()
    {
        Keys = HeadRows.Keys(call.Operands, tile.Queries.Rows),
        Values = HeadRows.Values(call.Operands, tile.Queries.Rows),
        HeadDim = call.Operands.HeadDim,
        ValueDim = call.Operands.ValueDim,
        ValueColumns = call.Operands.ValueDim,
        KeyBlock = call.Plan.Rows.KeyBlock,
        CleansValues = careful,
        ValueStage = call.Plan.Rows.Tile.ValueStage.In(memory),
    };

    /// <summary>Computes the rows; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(in AttentionCall call, in RowTile<TVector, TSpec> tile, in KeyValueBlocks<TVector> keyValues)
    {
        int headDim = call.Operands.HeadDim, rowCount = tile.Queries.Count;
        ref readonly RowSoftmaxState<TVector> softmax = ref tile.Softmax;
        RowRange<TSpec> range = new(tile.Queries.Visibility, keyValues.KeyBlock);
        softmax.Begin(tile.Queries.Sinks, range.IsOneBlock);
        foreach (ref readonly KeyValueBlock block in keyValues.Blocks(range))
        {
            KeyValueBlocks<TVector>.AskForBeginOfValues(block);
            DecodeTile<TVector>.Scores(tile.Query, rowCount, block.Keys, headDim, block.Count, tile.Score, tile.Near, call.Plan.AsksAhead);
            tile.ScaleScores(block.Keys, block.Count);
            for (int q = 0; q < rowCount; q++)
                tile.Step(call, q, block.First, block.Count);

            tile.ScaleProbabilities(block.Values, block.Count);
            keyValues.AskForBeginOfNextKeys(block);
            DecodeTile<TVector>.Values(
                tile.Score, rowCount, tile.BlockStarts, tile.BlockLimits, block.Values, softmax.ValueDim, block.Count, range.IsOneBlock ? softmax.Output : softmax.BlockSum, softmax.PartSum, tile.Near, call.Plan.AsksAhead);
            if (!range.IsOneBlock)
                softmax.AddBlock();
            if (keyValues.CleansValues)
                tile.AddVisibleNonFinite(block);
        }

        if (!range.IsOneBlock)
            softmax.AddRest();
        tile.Finish(call, keyValues.CleansValues ? null : keyValues.Values.ColumnScales);
        return !KeyVisibility<TSpec>.HasRanges || softmax.IsFinite();
    }
}
