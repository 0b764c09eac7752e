using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of one query tile, key block by key block (FlashAttention 2, arXiv 2307.08691, with queries in lanes):
/// scores, mask, softmax step, values; then the division by the sum. A query tile is some register tiles, so that a
/// block of keys and values is brought near, or copied, once for all of them. Sequences of few queries are left to
/// <see cref="RowDriver{TVector, TSpec}"/>.
/// </summary>
/// <typeparam name="TTiles">The register tiles.</typeparam>
/// <typeparam name="TVector">The vector that they use.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
/// <param name="narrower">The driver for the last queries of a sequence where they fill no more than half a vector; null for none.</param>
internal sealed unsafe partial class FlashDriver<TTiles, TVector, TSpec>(TileDriver? narrower) : TileDriver
    where TTiles : struct, IAttentionTiles
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    internal override KernelSizes Sizes =>
        new(TVector.Count, TTiles.MaxVectors * TVector.Count, TTiles.QueryTiles, TTiles.KeyBlock, TTiles.KeyRows, TTiles.ValueRows, KeyVisibility<TSpec>.HasRanges);

    internal override KernelSizes? NarrowSizes => narrower?.Sizes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        long streamRows = call.Plan.Partition.RowsOf(sequence, call.Shape);
        if (call.Visibility.QueryLengths != null && tile.FirstRow + tile.RowCount > streamRows)
            PaddingRows.Clear(call, tile, sequence, streamRows);
        if (tile.FirstRow >= streamRows)
            return; // A shorter sequence.
        int rowCount = (int)Math.Min(tile.RowCount, streamRows - tile.FirstRow);
        QueryTile queries = tile with { RowCount = rowCount };
        if (call.OwnQueries(sequence) <= call.Plan.MaxFewQueries)
        {
            RowDriver<TVector, TSpec>.Run(call, queries, sequence, workspace);
            return;
        }

        // Bit-identical: a lane is one query, and its arithmetic does not depend on the vector's width.
        bool isFirstOfHead = tile.FirstRow + rowCount == streamRows;
        if (rowCount <= call.Plan.MaxNarrowQueries)
            narrower!.RunLanes(call, call.Plan.NarrowLanes, queries, sequence, nextTile, isFirstOfHead, workspace);
        else
            RunLanes(call, call.Plan.Lanes, queries, sequence, nextTile, isFirstOfHead, workspace);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void RunLanes(
        in AttentionCall call, in LanePlan plan, in QueryTile tile, in Sequence sequence, in QueryTile nextTile, bool isFirstOfHead, Workspace workspace)
    {
        int registerRows = plan.RegisterRows, tileCount = (tile.RowCount + registerRows - 1) / registerRows;
        RegisterTile<TVector, TSpec>* tiles = stackalloc RegisterTile<TVector, TSpec>[tileCount];
        for (int i = 0; i < tileCount; i++)
        {
            int firstRow = i * registerRows;
            QueryTile rows = tile with { FirstRow = tile.FirstRow + firstRow, RowCount = Math.Min(registerRows, tile.RowCount - firstRow) };
            tiles[i] = new(call, plan, rows, sequence, workspace.Memory, i);
        }

        // 0·NaN is NaN: values that a query may not see have reached it if they were not finite. That is seen in the end,
        // so the usual case pays nothing, and the tile is computed again with care.
        Stages stages = new(workspace.Memory + plan.Block.KeyStage, workspace.Memory + plan.Block.ValueStage);
        if (!Take(call, tiles, tileCount, nextTile, isFirstOfHead, stages, careful: false))
            Take(call, tiles, tileCount, nextTile, isFirstOfHead, stages, careful: true);
    }

    /// <summary>Computes the tiles; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(
        in AttentionCall call, RegisterTile<TVector, TSpec>* tiles, int tileCount, in QueryTile nextTile, bool isFirstOfHead, in Stages stages, bool careful)
    {
        for (int i = 0; i < tileCount; i++)
        {
            ref readonly RegisterTile<TVector, TSpec> tile = ref tiles[i];
            bool seesKeys = tile.Queries.Visibility.FirstBlock(call.Plan.KeyBlock) < tile.Queries.Visibility.Limit;
            tile.Softmax.Begin(tile.Queries.Sinks, seesKeys);
        }

        TakeKeys(call, tiles, tileCount, nextTile, isFirstOfHead, stages, careful);

        bool isFinite = true;
        for (int i = 0; i < tileCount; i++)
        {
            tiles[i].Finish(call);
            if (KeyVisibility<TSpec>.HasRanges)
                isFinite &= tiles[i].Softmax.IsFinite();
        }

        return isFinite;
    }

    /// <summary>Takes all keys into the states, block by block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeys(
        in AttentionCall call, RegisterTile<TVector, TSpec>* tiles, int tileCount, in QueryTile nextTile, bool isFirstOfHead, in Stages stages, bool careful)
    {
        int firstBlock = int.MaxValue, lastLimit = 0;
        for (int i = 0; i < tileCount; i++)
        {
            tiles[i].PackQuery(call);
            if (tiles[i].Queries.Visibility.Limit > 0)
                firstBlock = Math.Min(firstBlock, tiles[i].Queries.Visibility.FirstBlock(call.Plan.KeyBlock));
            lastLimit = Math.Max(lastLimit, tiles[i].Queries.Visibility.Limit);
        }

        int valueColumns = tiles->Softmax.Columns;
        long keyStride = call.Operands.KeyStrides.Length, valueStride = call.Operands.ValueStrides.Length;
        float* keys = call.Operands.Key + tiles->Queries.Rows.KeyOffset(call.Operands.KeyStrides), values = call.Operands.Value + tiles->Queries.Rows.KeyOffset(call.Operands.ValueStrides);
        Prefetcher ahead = new(call.Plan.AsksAhead);
        int* seenBy = stackalloc int[tileCount];

        // For each tile the part of the keys that it is in; −1 before the first.
        int keysPerPart = call.Plan.KeysPerPart;
        int* parts = stackalloc int[tileCount];
        new Span<int>(parts, tileCount).Fill(-1);
        for (int first = firstBlock, count; (count = Math.Min(call.Plan.KeyBlock, lastLimit - first)) > 0; first += count)
        {
            int mostSeen = 0;
            for (int i = 0; i < tileCount; i++)
                mostSeen = Math.Max(mostSeen, seenBy[i] = tiles[i].Queries.Visibility.Seen(first, call.Plan.KeyBlock));
            if (mostSeen == 0)
                continue;

            float* key = keys + first * keyStride, value = values + first * valueStride;
            if (count < TTiles.KeyRows || keyStride != call.Operands.HeadDim)
                key = BlockStage.Copy(key, keyStride, call.Operands.HeadDim, count, stages.Key, call.Operands.HeadDim, Math.Max(count, TTiles.KeyRows));

            if (careful || valueStride != call.Operands.ValueDim || valueStride != valueColumns)
                value = BlockStage.Copy(value, valueStride, call.Operands.ValueDim, count, stages.Value, valueColumns, count);
            if (careful)
                BlockStage.ZeroNonFinite(new(value, count * valueColumns));

            // Tile by tile, so that all share the memory for scores. Scores of all tiles first and then all values is as fast (measured).
            for (int i = 0; i < tileCount; i++)
            {
                ref readonly RegisterTile<TVector, TSpec> tile = ref tiles[i];
                int seen = seenBy[i];
                if (seen == 0)
                    continue;

                bool beginsPart = parts[i] != first / keysPerPart;
                if (beginsPart && parts[i] >= 0)
                    tile.Softmax.AddPart(isLast: false);
                parts[i] = first / keysPerPart;

                // The query tiles after the first of a head find keys and values in a cache; asking again costs some 3% of a long
                // head's time. Rows that are apart the CPU does not foresee: without asking they cost up to 80%.
                ahead.Clear();
                if (isFirstOfHead && i == 0)
                    ahead.Add(values + first * valueStride, valueStride, call.Operands.ValueDim, count);
                if (i == 1 && valueStride != call.Operands.ValueDim)
                    ahead.Add(values + (first + count) * valueStride, valueStride, call.Operands.ValueDim, Math.Min(call.Plan.KeyBlock, lastLimit - first - count));
                ahead.Spread(seen / TTiles.KeyRows + 1);
                TakeScores(call, tile, key, first, seen, careful, ref ahead);
                tile.Softmax.Step(tile.Block);

                ahead.Clear();
                if (first + count == lastLimit)
                    AddNextTile(call, nextTile, i, keys, ref ahead);
                else if (i == 0 && (isFirstOfHead || keyStride != call.Operands.HeadDim))
                    ahead.Add(keys + (first + count) * keyStride, keyStride, call.Operands.HeadDim, Math.Min(call.Plan.KeyBlock, lastLimit - first - count));
                int nextCount = Math.Min(call.Plan.KeyBlock, lastLimit - first - count);
                if (nextCount > 0)
                {
                    MaskPrefetch prefetch = new(ref ahead, first + count, nextCount, tile.Queries.Count);
                    tile.Queries.Visibility.Masks.Visit(ref prefetch);
                }

                ahead.Spread(valueColumns / TTiles.ValueRows);
                TakeValues(tile, value, valueColumns, beginsPart ? null : tile.Softmax.Alpha, ref ahead);
                if (careful)
                    tile.Queries.AddVisibleNonFinite(values + first * valueStride, valueStride, call.Operands.ValueDim, first, seen, tile.Block.Score, tile.Block.Bias, tile.Block.Stride, 1, tile.Softmax.Output, tile.Block.Stride, 1);
            }
        }

        for (int i = 0; i < tileCount; i++)
        {
            if (tiles[i].Softmax.HasParts)
                tiles[i].Softmax.AddPart(isLast: true);
        }
    }

    /// <summary>Scores of one block for one register tile, and their maxima.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeScores(in AttentionCall call, in RegisterTile<TVector, TSpec> tile, float* key, int first, int seen, bool careful, ref Prefetcher ahead)
    {
        // A register tile has so many keys at least. Some may be past those that its queries see: that counts as hiding.
        int computed = Math.Max(seen, TTiles.KeyRows);
        // What masks hide, their bias hides; the rest is hidden after the product. Either need not be computed for whole vectors.
        bool hides = tile.Queries.Visibility.IsPartial(first, computed);
        bool differ = tile.Queries.Visibility.MayDiffer(first, computed) && !careful;
        bool hasBias = Features.Uses<TSpec>(call.Uses, TileMasks<TSpec>.Kinds | AttentionFeatures.Alibi), isCapped = ScoreSteps<TVector>.HasCap<TSpec>(call.Uses);
        if (hasBias)
            tile.PackBias(call, first, seen, computed);

        // −∞ + NaN is NaN: a key that a mask hides may show. As with values, that is seen in the end.
        bool fuses = hasBias && !isCapped && !careful;
        new Span<float>(tile.Block.Max, tile.Block.Width).CopyTo(new Span<float>(tile.Block.NewMax, tile.Block.Width));
        float* max = hides || isCapped || hasBias != fuses ? tile.Block.UnusedMax : tile.Block.NewMax;
        tile.Queries.Visibility.CountKeys(tile.Block.Counts, tile.Vectors, TVector.Count, first, seen, TTiles.KeyRows, differ);

        // As in TakeValues.
        for (int v = 0, from = 0, vectors = tile.Vectors; v < vectors; v++)
        {
            int q = v * TVector.Count, end = tile.Block.Counts[v], offset = from * tile.Block.Stride + q;
            if (end > from)
            {
                TTiles.Scores(
                    vectors - v,
                    ref key[(long)from * call.Operands.HeadDim],
                    ref tile.Query[q],
                    ref *(fuses ? tile.Block.Bias + offset : null),
                    ref tile.Block.Score[offset],
                    ref max[q],
                    Math.Max(end - from, TTiles.KeyRows),
                    call.Operands.HeadDim,
                    ref ahead);
            }

            from = end;
        }

        ScoreSteps<TVector>.RunBlock<TSpec>(tile.Block, call.Uses, call.Scoring.Cap, addsBias: hasBias && !fuses);
        if (hides)
            tile.HideKeys(first, seen);
    }

    /// <summary>Output of one block for one register tile, from its probabilities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeValues(in RegisterTile<TVector, TSpec> tile, float* value, int valueColumns, float* alpha, ref Prefetcher ahead)
    {
        // Keys that all vectors take, then those that only the vectors from the second on do, and so on: parts of one sum, so that a
        // query's bits do not depend on the other queries of the tile.
        for (int v = 0, from = 0, vectors = tile.Vectors; v < vectors;)
        {
            int q = v * TVector.Count, end = tile.Block.Counts[v], complete = 1;
            while (v + complete < vectors && tile.Block.Counts[v + complete] == end)
                complete++;
            TTiles.Values(
                vectors - v,
                complete,
                continues: from > 0,
                ref value[(long)from * valueColumns],
                ref tile.Block.Score[from * tile.Block.Stride + q],
                ref *(alpha == null ? null : alpha + q),
                ref tile.Softmax.BlockSum[q],
                ref tile.Softmax.Output[q],
                end - from,
                valueColumns,
                ref ahead);
            v += complete;
            from = end;
        }
    }

    /// <summary>Asks for the rows of a register tile of the next query tile and, if that belongs to another head, for its first keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddNextTile(in AttentionCall call, in QueryTile nextTile, int part, float* keys, ref Prefetcher ahead)
    {
        if (nextTile.RowCount == 0)
            return;
        Sequence next = call.SequenceAt(nextTile.Batch);
        int registerRows = TTiles.MaxVectors * TVector.Count, firstRow = part * registerRows;
        long streamRows = Math.Min(call.Plan.Partition.RowsOf(next, call.Shape) - nextTile.FirstRow, nextTile.RowCount);
        int count = (int)Math.Min(Math.Min(registerRows, streamRows - firstRow), next.QueryLength);
        if (count <= 0)
            return;
        TileRowMap rows = new(call, nextTile, next);
        float* nextKeys = call.Operands.Key + rows.KeyOffset(call.Operands.KeyStrides);
        if (nextKeys != keys && part == 0)
            ahead.Add(nextKeys, call.Operands.KeyStrides.Length, call.Operands.HeadDim, Math.Min(call.Plan.KeyBlock, next.KeyLength));
        ahead.Add(call.Operands.Query + rows.Offset(firstRow, call.Operands.QueryStrides), call.Operands.QueryStrides.Length, call.Operands.HeadDim, count);
        ahead.Add(call.Operands.Output + rows.Offset(firstRow, call.Operands.OutputStrides), call.Operands.OutputStrides.Length, call.Operands.ValueDim, count);
    }

    /// <summary>Memory for copies of a block of keys and one of values.</summary>
    private readonly struct Stages(float* key, float* value)
    {
        public readonly float* Key = key;
        public readonly float* Value = value;
    }
}
