using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>The weights of the softmax themselves, which attention never holds: the output is a matrix of them.</content>
internal sealed unsafe partial class FlashDriver<TTiles, TVector, TSpec>
{
    internal override long WeightsWorkspaceFloats(in AttentionCall call)
    {
        int blockRows = BlockRows(call);
        TileState<TVector, TSpec> tile = new(null, null, call, blockRows, valueColumns: 0, RegisterRows, hasParts: false);
        return StageFloats(blockRows, call.HeadDim) + StageFloats(blockRows, 1) + tile.SharedFloats + tile.Floats;
    }

    /// <summary>Scores go block by block to where weights belong; there each row is turned into weights when it is whole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void RunWeights(in AttentionCall call, in QueryTile tile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        long streamRows = call.Partition.RowsOf(sequence, call.Shape);
        if (call.QueryLengths != null && tile.FirstRow + tile.RowCount > streamRows)
            PaddingRows.Clear(call, tile, sequence, streamRows);
        long end = Math.Min(tile.FirstRow + tile.RowCount, streamRows);
        int blockRows = BlockRows(call);
        float* stage = workspace.Memory, spare = stage + StageFloats(blockRows, call.HeadDim), shared = spare + StageFloats(blockRows, 1);
        float* memory = shared + new TileState<TVector, TSpec>(null, null, call, blockRows, valueColumns: 0, RegisterRows, hasParts: false).SharedFloats;
        for (long first = tile.FirstRow; first < end; first += RegisterRows)
        {
            QueryTile rows = tile with { FirstRow = first, RowCount = (int)Math.Min(RegisterRows, end - first) };
            TakeWeights(call, new(memory, shared, call, blockRows, valueColumns: 0, RegisterRows, hasParts: false, rows, sequence), stage, spare);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeWeights(in AttentionCall call, in TileState<TVector, TSpec> tile, float* stage, float* spare)
    {
        float** rows = stackalloc float*[tile.Tile.RowCount], block = stackalloc float*[tile.Width];
        for (int q = 0; q < tile.Tile.RowCount; q++)
        {
            rows[q] = call.Output + tile.Rows.Offset(q, call.OutputStrides);
            new Span<float>(rows[q], call.Shape.KeyLength).Fill(float.NegativeInfinity);
        }

        tile.Begin(call, clears: 0);
        tile.PackQuery(call);
        float* keys = call.Key + tile.Rows.KeyOffset(call.KeyStrides), ones = tile.Sum;
        new Span<float>(ones, tile.Width).Fill(1);
        long keyStride = call.KeyStrides.Length;
        Prefetcher ahead = new(isOn: false);
        for (int first = tile.Visibility.FirstBlock(call.KeyBlock), count; (count = Math.Min(call.KeyBlock, tile.Visibility.Limit - first)) > 0; first += count)
        {
            int seen = tile.Visibility.Seen(first, call.KeyBlock);
            if (seen == 0)
                continue;
            float* key = keys + first * keyStride;
            if (count < TTiles.KeyRows || keyStride != call.HeadDim)
                key = BlockStage.Copy(key, keyStride, call.HeadDim, count, stage, call.HeadDim, Math.Max(count, TTiles.KeyRows));
            TakeScores(call, tile, key, first, seen, careful: true, ref ahead);
            for (int q = 0; q < tile.Width; q++)
                block[q] = q < tile.Tile.RowCount ? rows[q] + first : spare;
            LanePacking<TVector>.Unpack(tile.Block.Score, tile.Width, tile.Stride, ones, block, seen);
        }

        for (int q = 0; q < tile.Tile.RowCount; q++)
        {
            float sink = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks) ? call.Sinks[tile.Rows.Head(q)] : float.NegativeInfinity;
            DecodeTile<TVector>.Softmax(rows[q], call.Shape.KeyLength, sink);
        }
    }
}
