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
    /// <summary>Computes the rows of a tile, or their state over a split of the keys: the worker that computes the last split merges all.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The rows.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="splits">Its splits (<see cref="AttentionCall.SplitsOf"/>).</param>
    /// <param name="workspace">Scratch memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in AttentionCall call, in QueryTile tile, in Sequence sequence, (int First, int Count) splits, Workspace workspace)
    {
        bool isSplit = splits.Count > 1;
        PagesAndScales* pagesAndScales = stackalloc PagesAndScales[2];
        RowTile<TVector, TSpec> rowTile = default;
        (int firstKey, int keyLimit) = isSplit ? call.Plan.Splits.KeysOf(splits.First + tile.Split) : (0, int.MaxValue);
        for (int first = 0; first < tile.RowCount; first += RowPlan.MaxRows)
        {
            QueryTile rows = tile.Part(first, Math.Min(RowPlan.MaxRows, tile.RowCount - first));
            rowTile.Set(call, rows, sequence, workspace.Memory);
            rowTile.PackQuery(call);
            RowRange<TSpec> range = new(in rowTile.Queries.Visibility, call.Plan.Rows.KeyBlock, firstKey, keyLimit);

            // As with many queries, the output shows in the end whether a value has reached a query that may not see it. That of a split shows
            // it for the values of the split.
            FindKeysAndValues(call, rowTile, pagesAndScales, workspace.Memory, out KeyValueBlocks<TVector> keyValues);
            if (!Take(call, rowTile, range, keyValues))
            {
                // Integers are finite, though their scales may not be. Cleaned as floats, values would be rounded once more, and a query's bits would depend on what other queries see.
                rowTile.CleansScales = keyValues.Values.HasScales;
                keyValues.CleansValues = !rowTile.CleansScales;
                Take(call, rowTile, range, keyValues);
            }

            if (!isSplit || new SplitStates(call).Complete(call, rows, sequence, splits.Count, rowTile.Softmax))
                rowTile.Finish(call);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FindKeysAndValues(in AttentionCall call, in RowTile<TVector, TSpec> tile, PagesAndScales* pagesAndScales, float* memory, out KeyValueBlocks<TVector> keyValues)
    {
        keyValues = default;
        keyValues.Keys = HeadRows.Keys(call.Operands, tile.Queries.Rows, pagesAndScales);
        keyValues.Values = ValuesWithoutChannelScales(call, tile, pagesAndScales + 1);
        keyValues.HeadDim = call.Operands.HeadDim;
        keyValues.ValueDim = call.Operands.ValueDim;
        keyValues.ValueColumns = call.Operands.ValueDim;
        keyValues.KeyBlock = call.Plan.Rows.KeyBlock;
        keyValues.ValueStage = call.Plan.Rows.Tile.ValueStage.In(memory);
    }

    /// <summary>The values; the scales of their channels multiply the output instead (<see cref="RowTile{TVector, TSpec}.Finish"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StoredRows ValuesWithoutChannelScales(in AttentionCall call, in RowTile<TVector, TSpec> tile, PagesAndScales* pagesAndScales)
    {
        StoredRows values = HeadRows.Values(call.Operands, tile.Queries.Rows, pagesAndScales);
        if (values.PagesAndScales != null)
            pagesAndScales->ColumnScales = null;
        return values;
    }

    /// <summary>Computes the state of the rows over a range of keys; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(in AttentionCall call, in RowTile<TVector, TSpec> tile, in RowRange<TSpec> range, in KeyValueBlocks<TVector> keyValues)
    {
        ref readonly RowSoftmaxState<TVector> softmax = ref tile.Softmax;
        bool isOneBlock = range.IsOneBlock;
        softmax.Begin(tile.Queries.Sinks, isOneBlock);
        KeyValueBlock block = new() { First = range.First };
        while (keyValues.Next(range, ref block))
        {
            KeyValueBlocks<TVector>.AskForBeginOfValues(block);
            DecodeTile<TVector>.Scores(tile.Query, block.Keys, call.Operands.HeadDim, block.Count, tile.Scores, tile.Widened, tile.Folded, call.Plan.AsksAhead);
            tile.ScaleScores(block.Keys, block.Count);
            for (int q = 0; q < tile.Queries.Count; q++)
                tile.Step(call, q, block.First, block.Count);

            tile.ScaleProbabilities(block.Values, block.Count);
            keyValues.AskForBeginOfNextKeys(block);
            float* sum = isOneBlock ? softmax.Output : softmax.BlockSum;
            DecodeTile<TVector>.Values(tile.Scores, block.Values, softmax.ValueDim, block.Count, sum, softmax.PartSum, tile.Widened, call.Plan.AsksAhead);
            if (!isOneBlock)
                softmax.AddBlock();
            if (keyValues.CleansValues)
                tile.AddVisibleNonFinite(block);
        }

        if (!isOneBlock)
            softmax.AddRest();
        return !KeyVisibility<TSpec>.HasRanges || softmax.IsFinite();
    }
}
