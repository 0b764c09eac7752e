using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>The weights of the softmax themselves, which attention never holds: the output is a matrix of them.</content>
internal sealed unsafe partial class FlashDriver<TTiles, TVector, TSpec>
{
    /// <summary>Scores go block by block to where weights belong; there each row is turned into weights when it is whole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void RunWeights(in AttentionCall call, in QueryTile tile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        long streamRows = call.Plan.Partition.RowsOf(sequence, call.Shape);
        if (call.Visibility.QueryLengths != null && tile.FirstRow + tile.RowCount > streamRows)
            PaddingRows.Clear(call, tile, sequence, streamRows);
        long end = Math.Min(tile.FirstRow + tile.RowCount, streamRows);
        LanePlan plan = call.Plan.Lanes;
        for (long first = tile.FirstRow; first < end; first += plan.RegisterRows)
        {
            QueryTile rows = tile with { FirstRow = first, RowCount = (int)Math.Min(plan.RegisterRows, end - first) };
            TakeWeights(call, new(call, plan, rows, sequence, workspace.Memory, 0), workspace.Memory + plan.Block.KeyStage);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeWeights(in AttentionCall call, in RegisterTile<TVector, TSpec> tile, float* stage)
    {
        float** rows = stackalloc float*[tile.Queries.Count], block = stackalloc float*[tile.Block.Width];
        for (int q = 0; q < tile.Queries.Count; q++)
        {
            rows[q] = call.Operands.Output + tile.Queries.Rows.Offset(q, call.Operands.OutputStrides);
            new Span<float>(rows[q], call.Shape.KeyLength).Fill(float.NegativeInfinity);
        }

        tile.Softmax.Begin(tile.Queries.Sinks, hasKeys: true);
        tile.PackQuery(call);
        float* keys = call.Operands.Key + tile.Queries.Rows.KeyOffset(call.Operands.KeyStrides), ones = tile.Factors;
        new Span<float>(ones, tile.Block.Width).Fill(1);
        long keyStride = call.Operands.KeyStrides.Length;
        Prefetcher ahead = new(isOn: false);
        for (int first = tile.Queries.Visibility.FirstBlock(call.Plan.KeyBlock), count; (count = Math.Min(call.Plan.KeyBlock, tile.Queries.Visibility.Limit - first)) > 0; first += count)
        {
            int seen = tile.Queries.Visibility.Seen(first, call.Plan.KeyBlock);
            if (seen == 0)
                continue;
            float* key = keys + first * keyStride;
            if (count < TTiles.KeyRows || keyStride != call.Operands.HeadDim)
                key = BlockStage.Copy(key, keyStride, call.Operands.HeadDim, count, stage, call.Operands.HeadDim, Math.Max(count, TTiles.KeyRows));
            TakeScores(call, tile, key, first, seen, careful: true, ref ahead);
            for (int q = 0; q < tile.Block.Width; q++)
                block[q] = q < tile.Queries.Count ? rows[q] + first : tile.Spare;
            LanePacking<TVector>.Unpack(tile.Block.Score, tile.Block.Width, tile.Block.Stride, ones, block, seen);
        }

        for (int q = 0; q < tile.Queries.Count; q++)
        {
            float sink = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks) ? call.Scoring.Sinks[tile.Queries.Rows.Head(q)] : float.NegativeInfinity;
            RowSoftmax<TVector>.Weigh(rows[q], call.Shape.KeyLength, sink);
        }
    }
}
