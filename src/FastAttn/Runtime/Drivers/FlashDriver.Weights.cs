using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>The weights of the softmax themselves, which attention never holds: the output is a matrix of them.</content>
internal sealed unsafe partial class FlashDriver<TTiles, TVector, TSpec>
{
    /// <summary>Scores are written block by block to the place of the weights; there each row is turned into weights when it is complete.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void RunWeights(in AttentionCall call, in QueryTile tile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        long streamRows = call.Plan.Partition.RowsOf(sequence, call.GroupSize);
        if (call.Visibility.QueryLengths != null && tile.FirstRow + tile.RowCount > streamRows)
            PaddingRows.Clear(call, tile, sequence, streamRows);
        long end = Math.Min(tile.FirstRow + tile.RowCount, streamRows);
        ref readonly LanePlan plan = ref call.Plan.Lanes;
        PagesAndScales* pagesAndScales = stackalloc PagesAndScales[2];
        for (long first = tile.FirstRow; first < end; first += plan.RegisterRows)
        {
            QueryTile rows = tile.Part((int)(first - tile.FirstRow), (int)Math.Min(plan.RegisterRows, end - first));
            RegisterTile<TVector, TSpec> queries = new(call, plan, rows, sequence, workspace.Memory, index: 0);
            queries.PackQuery(call);
            FindKeysAndValues(call, plan, queries, pagesAndScales, workspace.Memory, isFirstOfHead: false, out KeyValueBlocks<TVector> keys);
            TakeWeights(call, queries, keys);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeWeights(in AttentionCall call, in RegisterTile<TVector, TSpec> tile, in KeyValueBlocks<TVector> keys)
    {
        int keyLength = call.Shape.KeyLength, count = tile.Queries.Count, width = tile.Block.Width;
        float** rows = stackalloc float*[count], destinations = stackalloc float*[width];
        for (int q = 0; q < count; q++)
        {
            rows[q] = (float*)call.Operands.OutputRow(tile.Queries.Rows.Offset(q, call.Operands.OutputStrides));
            new Span<float>(rows[q], keyLength).Fill(float.NegativeInfinity);
        }

        // A row of scores is written without a factor.
        tile.Softmax.Begin(tile.Queries.Sinks, hasKeys: true);
        new Span<float>(tile.Factors, width).Fill(1);
        Prefetcher ahead = new(isOn: false);
        fixed (RegisterTile<TVector, TSpec>* tiles = &tile)
        {
            int* numbers = stackalloc int[2];
            TileGroup<TVector, TSpec> group = new(tiles, count: 1, numbers, call.Plan);
            KeyValueBlock block = new() { First = group.First };
            while (keys.Next(group, ref block))
            {
                // A weight is not computed a second time, so it is computed with care at once.
                TakeScores(call, tile, block, group.SeenBy(0), careful: true, ref ahead);
                for (int q = 0; q < width; q++)
                    destinations[q] = q < count ? rows[q] + block.First : tile.Spare;
                LanePacking<TVector>.Unpack(tile.Block.Score, width, tile.Block.Stride, tile.Factors, destinations, group.SeenBy(0));
            }
        }

        for (int q = 0; q < count; q++)
            RowSoftmax<TVector>.Weigh(rows[q], keyLength, tile.Queries.Sinks == null ? float.NegativeInfinity : tile.Queries.Sinks[q]);
    }
}
