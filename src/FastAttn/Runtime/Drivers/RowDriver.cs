using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Attention of few queries: each by itself, with the head dimension in lanes (<see cref="DecodeTile{TVector}"/>).</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal static unsafe class RowDriver<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    /// <summary>1 KiB: of a layer's step after 4096 tokens it saves up to 10% of the time, and costs a call of 4 tokens nothing (measured).</summary>
    private const int LinesOfBegin = 16;

    /// <summary>Computes the rows of a tile.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The rows.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="workspace">Scratch memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in AttentionCall call, in QueryTile tile, in Sequence sequence, Workspace workspace)
    {
        float* valueStage = workspace.Memory + call.Plan.Rows.Tile.ValueStage;
        for (int first = 0; first < tile.RowCount; first += RowPlan.MaxRows)
        {
            QueryTile rows = tile with { FirstRow = tile.FirstRow + first, RowCount = Math.Min(RowPlan.MaxRows, tile.RowCount - first) };
            RowTile<TVector, TSpec> state = new(call, rows, sequence, workspace.Memory);

            // As with many queries: again, where something has reached a query that it may not see.
            if (!Take(call, state, valueStage, careful: false))
                Take(call, state, valueStage, careful: true);
        }
    }

    /// <summary>Computes the rows; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(in AttentionCall call, in RowTile<TVector, TSpec> tile, float* valueStage, bool careful)
    {
        TakeKeys(call, tile, valueStage, careful);
        tile.Finish(call);
        return !KeyVisibility<TSpec>.HasRanges || tile.Softmax.IsFinite();
    }

    /// <summary>Takes all keys into the state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeys(in AttentionCall call, in RowTile<TVector, TSpec> tile, float* valueStage, bool careful)
    {
        int headDim = call.Operands.HeadDim, valueDim = call.Operands.ValueDim, rowCount = tile.Queries.Count;
        float scale = ScoreSteps<TVector>.QueryScale<TSpec>(call.Uses, call.Scoring.Scale, call.Scoring.Cap);
        for (int q = 0; q < rowCount; q++)
            RowSoftmax<TVector>.Scale(call.Operands.Query + tile.Queries.Rows.Offset(q, call.Operands.QueryStrides), scale, tile.Query + (long)q * headDim, headDim);

        long keyStride = call.Operands.KeyStrides.Length, valueStride = call.Operands.ValueStrides.Length;
        float* keys = call.Operands.Key + tile.Queries.Rows.KeyOffset(call.Operands.KeyStrides);
        float* values = call.Operands.Value + tile.Queries.Rows.KeyOffset(call.Operands.ValueStrides);
        int keyBlock = call.Plan.Rows.KeyBlock, firstBlock = tile.Queries.Visibility.FirstBlock(keyBlock), lastLimit = tile.Queries.Visibility.Limit;
        bool isOneBlock = lastLimit - firstBlock <= keyBlock;
        tile.Softmax.Begin(tile.Queries.Sinks, isOneBlock);
        for (int first = firstBlock, count; (count = Math.Min(keyBlock, lastLimit - first)) > 0; first += count)
        {
            if (tile.Queries.Visibility.MasksHide(first, count))
                continue;
            AskForBegin(values + first * valueStride);
            DecodeTile<TVector>.Scores(tile.Query, rowCount, keys + first * keyStride, keyStride, headDim, count, tile.Score);
            for (int q = 0; q < rowCount; q++)
            {
                (int start, int limit) = tile.Queries.Visibility.InBlock(q, first, count);
                tile.BlockStarts[q] = start;
                tile.BlockLimits[q] = limit;
                float* score = tile.Score + (long)q * count + start;
                tile.ChangeScores(call, q, score, tile.Bias + (long)q * count + start, first + start, limit - start);
                tile.Softmax.Step(q, score, limit - start);
            }

            float* block = values + first * valueStride, value = block;
            long stride = valueStride;
            if (careful)
            {
                value = BlockStage.Copy(block, valueStride, valueDim, count, valueStage, valueDim, count);
                stride = valueDim;
                BlockStage.ZeroNonFinite(new(value, count * valueDim));
            }

            AskForBegin(keys + (first + count) * keyStride);
            DecodeTile<TVector>.Values(
                tile.Score, rowCount, tile.BlockStarts, tile.BlockLimits, value, stride, valueDim, count, isOneBlock ? tile.Softmax.Output : tile.Softmax.BlockSum, tile.Softmax.PartSum);
            if (!isOneBlock)
                tile.Softmax.AddBlock();
            if (careful)
                tile.Queries.AddVisibleNonFinite(block, valueStride, valueDim, first, count, tile.Score, tile.Bias, 1, count, tile.Softmax.Output, 1, valueDim);
        }

        if (!isOneBlock)
            tile.Softmax.AddRest();
    }

    /// <summary>
    /// Asks for the begin of what is read next: keys and values alternate, and the CPU's prefetcher sees neither coming. Past the last
    /// key nothing is read either.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskForBegin(float* memory)
    {
        for (int line = 0; line < LinesOfBegin; line++)
            Prefetcher.AskForLine(ref memory[line * Prefetcher.LineFloats]);
    }
}
