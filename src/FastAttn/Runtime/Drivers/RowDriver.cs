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

    /// <summary>
    /// Key blocks that are taken as one. Keys and values alternate, and where one follows the other the CPU's prefetcher begins anew:
    /// 32 query heads over 8, 4096 and 32768 keys, take 1.95 and 17.1 ms with 1, 1.75 and 15.2 with 4, 1.66 and 14.0 with 16, 1.61 and
    /// 13.6 with 48 (Zen 4), which need as much more memory for scores.
    /// </summary>
    private const int BlocksAtOnce = 16;

    /// <summary>Queries of a group of heads that are worked on together: memory for scores is so many times a block.</summary>
    private const int MostRows = 64;

    /// <summary>Floats of scratch memory that a call needs.</summary>
    public static long WorkspaceFloats(in AttentionCall call)
    {
        TileState<TVector, TSpec> tile = new(null, null, call, BlockRows(call), call.ValueDim, Stride(call), hasParts: false);
        return tile.Floats + tile.SharedFloats + new Stages(null, call).Floats;
    }

    /// <summary>Computes the rows of a tile.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The rows.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="workspace">Scratch memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in AttentionCall call, in QueryTile tile, in Sequence sequence, Workspace workspace)
    {
        int blockRows = BlockRows(call), stride = Stride(call);
        Stages stages = new(workspace.Memory, call);
        float* memory = workspace.Memory + stages.Floats;
        for (int first = 0; first < tile.RowCount; first += MostRows)
        {
            QueryTile rows = tile with { FirstRow = tile.FirstRow + first, RowCount = Math.Min(MostRows, tile.RowCount - first) };
            TileState<TVector, TSpec> state = new(memory, shared: null, call, blockRows, call.ValueDim, stride, hasParts: false, rows, sequence);

            // As with many queries: again, where something has reached a query that it may not see.
            if (!Take(call, state, stages, careful: false))
                Take(call, state, stages, careful: true);
        }
    }

    /// <summary>Computes the rows; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(in AttentionCall call, in TileState<TVector, TSpec> tile, in Stages stages, bool careful)
    {
        int outputs = (tile.Tile.RowCount * call.ValueDim + TVector.Count - 1) / TVector.Count * TVector.Count;
        tile.Begin(call, clears: 0);
        DecodeTile<TVector>.Clear(tile.Output, outputs);
        TakeKeys(call, tile, stages, careful);
        Finish(call, tile);
        return !KeyVisibility<TSpec>.HasRanges || tile.IsFinite(rows: 1, outputs);
    }

    /// <summary>Keys in a block here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int KeyBlock(in AttentionCall call) => BlocksAtOnce * call.KeyBlock;

    /// <summary>Keys in the largest block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int BlockRows(in AttentionCall call) => Math.Min(KeyBlock(call), call.Shape.KeyLength);

    /// <summary>Room for the rows, in whole vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stride(in AttentionCall call)
    {
        long rows = Math.Min(MostRows, Math.Min(call.Partition.TileRows, call.Partition.Rows));
        return (int)((rows + TVector.Count - 1) / TVector.Count * TVector.Count);
    }

    /// <summary>Takes all keys into the state, whose output has a row a query here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeys(in AttentionCall call, in TileState<TVector, TSpec> tile, in Stages stages, bool careful)
    {
        int headDim = call.HeadDim, valueDim = call.ValueDim, rowCount = tile.Tile.RowCount;
        float scale = ScoreSteps<TVector>.QueryScale<TSpec>(call.Uses, call.Scale, call.Softcap);
        for (int q = 0; q < rowCount; q++)
            DecodeTile<TVector>.Scale(call.Query + tile.Rows.Offset(q, call.QueryStrides), scale, tile.Query + (long)q * headDim, headDim);

        float* keys = call.Key + tile.Rows.KeyOffset(call.KeyStrides);
        float* values = call.Value + tile.Rows.KeyOffset(call.ValueStrides);
        int* start = tile.RowStarts, limit = tile.RowLimits;
        int keyBlock = KeyBlock(call);
        bool isOneBlock = tile.Visibility.Limit - tile.Visibility.FirstBlock(keyBlock) <= keyBlock;
        for (int q = 0; q < rowCount; q++)
            stages.Sums[q] = tile.Sum[q];
        if (!isOneBlock)
            DecodeTile<TVector>.Clear(stages.OutputRest, rowCount * valueDim);
        for (int first = tile.Visibility.FirstBlock(keyBlock), count; (count = Math.Min(keyBlock, tile.Visibility.Limit - first)) > 0; first += count)
        {
            if (tile.Visibility.MasksHide(first, count))
                continue;
            AskForBegin(values + first * call.ValueStrides.Length);
            DecodeTile<TVector>.Scores(
                tile.Query, rowCount, keys + first * call.KeyStrides.Length, call.KeyStrides.Length, headDim, count, tile.Block.Score);
            for (int q = 0; q < rowCount; q++)
            {
                (start[q], limit[q]) = tile.Visibility.InBlock(q, first, count);
                float* score = tile.Block.Score + (long)q * count + start[q];
                int seen = limit[q] - start[q];
                ChangeScores(call, tile, q, score, first + start[q], seen, tile.Block.Bias + (long)q * count + start[q]);
                tile.Alpha[q] = DecodeTile<TVector>.Step(score, seen, ref tile.Max[q], out float sum);
                stages.Sums[q] = stages.Sums[q] * tile.Alpha[q] + sum;
            }

            float* block = values + first * call.ValueStrides.Length, value = block;
            long valueStride = call.ValueStrides.Length;
            if (careful)
            {
                value = BlockStage.Copy(block, valueStride, valueDim, count, stages.Value, valueDim, count);
                valueStride = valueDim;
                BlockStage.ZeroNonFinite(new(value, count * valueDim));
            }

            AskForBegin(keys + (first + count) * call.KeyStrides.Length);
            DecodeTile<TVector>.Values(
                tile.Block.Score, rowCount, start, limit, value, valueStride, valueDim, count, isOneBlock ? tile.Output : stages.BlockSum, stages.PartSum);
            for (int q = 0; q < rowCount && !isOneBlock; q++)
            {
                long row = (long)q * valueDim;
                DecodeTile<TVector>.AddBlock(tile.Output + row, tile.Alpha[q], stages.OutputRest + row, stages.BlockSum + row, valueDim);
            }

            if (careful)
                tile.AddVisibleNonFinite(call, block, first, count, inLanes: false);
        }

        for (int q = 0; q < rowCount; q++)
            tile.Sum[q] = (float)stages.Sums[q];
        if (!isOneBlock)
            DecodeTile<TVector>.AddRest(tile.Output, stages.OutputRest, rowCount * valueDim);
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

    /// <summary>O[q][c] = O[q][c] / l[q].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in AttentionCall call, in TileState<TVector, TSpec> tile)
    {
        float* inverse = tile.FinishSums(call);
        for (int q = 0; q < tile.Tile.RowCount; q++)
            DecodeTile<TVector>.Scale(tile.Output + (long)q * call.ValueDim, inverse[q], call.Output + tile.Rows.Offset(q, call.OutputStrides), call.ValueDim);
    }

    /// <summary>Softcap, masks and ALiBi for the keys of a block that one query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ChangeScores(in AttentionCall call, in TileState<TVector, TSpec> tile, int row, float* score, int first, int count, float* mask)
    {
        ScoreSteps<TVector>.CapRow<TSpec>(score, count, call.Uses, call.Softcap);
        if (tile.Visibility.Masks.IsAny)
        {
            RowMaskCopying<TVector> copying = new(mask, row, first, count);
            tile.Visibility.Masks.Visit(ref copying);
            ScoreSteps<TVector>.MaskRow(score, mask, count);
        }

        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi))
            tile.Alibi.AddToRow<TVector>(row, score, first, count);
    }

    /// <summary>Memory for a copy of a block of values, and for sums over its keys.</summary>
    private readonly struct Stages
    {
        public readonly float* Value;

        /// <summary>What a block of keys adds to O.</summary>
        public readonly float* BlockSum;

        /// <summary>What a part of a block adds to that.</summary>
        public readonly float* PartSum;

        /// <summary>What the additions of blocks have rounded off O.</summary>
        public readonly float* OutputRest;

        /// <summary>l, so far.</summary>
        public readonly double* Sums;

        public readonly long Floats;

        public Stages(float* memory, in AttentionCall call)
        {
            long values = Workspace.Aligned((long)BlockRows(call) * call.ValueDim), sums = Workspace.Aligned((long)Stride(call) * call.ValueDim);
            Value = memory;
            BlockSum = Value + values;
            PartSum = BlockSum + sums;
            OutputRest = PartSum + sums;
            Sums = (double*)(OutputRest + sums);
            Floats = values + 3 * sums + Workspace.Aligned(2 * Stride(call));
        }
    }
}
