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
    internal override int RegisterRows => TTiles.MaxVectors * TVector.Count;

    /// <summary>
    /// Sharing pays where blocks are copied, and by 10% where a head's keys and values are more than the last cache holds, so that
    /// each query tile reads them from memory. Else it gains nothing (measured) and takes more memory.
    /// </summary>
    internal override int QueryTiles(in AttentionCall call)
    {
        const long CacheFloats = 4 * 1024 * 1024 / sizeof(float);
        bool copies = call.KeyStrides.Length != call.HeadDim || call.ValueStrides.Length != call.ValueDim || call.ValueDim != ValueColumns(call);
        return copies || (long)call.Shape.KeyLength * (call.HeadDim + call.ValueDim) > CacheFloats ? TTiles.QueryTiles : 1;
    }

    internal override int KeyBlock => TTiles.KeyBlock;

    internal override long WorkspaceFloats(in AttentionCall call)
    {
        // The shape's lengths are the longest: any of a ragged batch may be short.
        if (DecodeTile<TVector>.Suits(call.Shape.QueryLength))
            return RowDriver<TVector, TSpec>.WorkspaceFloats(call);
        long few = (call.Uses & (AttentionFeatures.Ragged | AttentionFeatures.KeyLengths)) != 0 ? RowDriver<TVector, TSpec>.WorkspaceFloats(call) : 0;
        int blockRows = BlockRows(call), valueColumns = ValueColumns(call);
        TileState<TVector, TSpec> tile = new(null, null, call, blockRows, valueColumns, RegisterRows, HasParts(call));
        long many = call.Partition.TileRows / RegisterRows * tile.Floats + tile.SharedFloats + StageFloats(blockRows, call.HeadDim) + StageFloats(blockRows, valueColumns);
        return Math.Max(few, Math.Max(many, narrower?.WorkspaceFloats(call) ?? 0));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        long streamRows = call.Partition.RowsOf(sequence, call.Shape);
        if (call.QueryLengths != null && tile.FirstRow + tile.RowCount > streamRows)
            PaddingRows.Clear(call, tile, sequence, streamRows);
        if (tile.FirstRow >= streamRows)
            return; // A shorter sequence.
        int rowCount = (int)Math.Min(tile.RowCount, streamRows - tile.FirstRow);
        if (DecodeTile<TVector>.Suits(call.OwnQueries(sequence)))
        {
            RowDriver<TVector, TSpec>.Run(call, tile with { RowCount = rowCount }, sequence, workspace);
            return;
        }

        if (narrower is not null && rowCount <= TVector.Count / 2)
        {
            // Bit-identical: a lane is one query, and its arithmetic does not depend on the vector's width.
            narrower.Run(call, tile with { RowCount = rowCount }, nextTile, workspace);
            return;
        }

        bool isFirstOfHead = tile.FirstRow + rowCount == streamRows;

        int blockRows = BlockRows(call), valueColumns = ValueColumns(call), tileCount = (rowCount + RegisterRows - 1) / RegisterRows;
        float* memory = workspace.Memory;
        Stages stages = new(memory, memory + StageFloats(blockRows, call.HeadDim));
        float* shared = stages.Value + StageFloats(blockRows, valueColumns);
        memory = shared + new TileState<TVector, TSpec>(null, null, call, blockRows, valueColumns, RegisterRows, HasParts(call)).SharedFloats;
        TileState<TVector, TSpec>* tiles = stackalloc TileState<TVector, TSpec>[tileCount];
        for (int i = 0; i < tileCount; i++)
        {
            int firstRow = i * RegisterRows, rows = Math.Min(RegisterRows, rowCount - firstRow);
            tiles[i] = new(memory, shared, call, blockRows, valueColumns, RegisterRows, HasParts(call), new(tile.Batch, tile.Stream, tile.FirstRow + firstRow, rows), sequence);
            memory += tiles[i].Floats;
        }

        // 0·NaN is NaN: values that a query may not see have reached it if they were not finite. That is seen in the end,
        // so the usual case pays nothing, and the tile is computed again with care.
        if (!Take(call, tiles, tileCount, nextTile, isFirstOfHead, stages, careful: false))
            Take(call, tiles, tileCount, nextTile, isFirstOfHead, stages, careful: true);
    }

    /// <summary>Computes the tiles; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(
        in AttentionCall call, TileState<TVector, TSpec>* tiles, int tileCount, in QueryTile nextTile, bool isFirstOfHead, in Stages stages, bool careful)
    {
        for (int i = 0; i < tileCount; i++)
        {
            ref readonly TileState<TVector, TSpec> tile = ref tiles[i];
            bool seesKeys = tile.Visibility.FirstBlock(call.KeyBlock) < tile.Visibility.Limit;
            tile.Begin(call, clears: seesKeys ? 0 : tile.ValueColumns * tile.Stride);
        }

        TakeKeys(call, tiles, tileCount, nextTile, isFirstOfHead, stages, careful);

        bool isFinite = true;
        for (int i = 0; i < tileCount; i++)
        {
            tiles[i].Finish(call);
            if (KeyVisibility<TSpec>.HasRanges)
                isFinite &= tiles[i].IsFinite(tiles[i].ValueColumns, tiles[i].Width);
        }

        return isFinite;
    }

    /// <summary>Takes all keys into the states, block by block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeys(
        in AttentionCall call, TileState<TVector, TSpec>* tiles, int tileCount, in QueryTile nextTile, bool isFirstOfHead, in Stages stages, bool careful)
    {
        int firstBlock = int.MaxValue, lastLimit = 0;
        for (int i = 0; i < tileCount; i++)
        {
            tiles[i].PackQuery(call);
            if (tiles[i].Visibility.Limit > 0)
                firstBlock = Math.Min(firstBlock, tiles[i].Visibility.FirstBlock(call.KeyBlock));
            lastLimit = Math.Max(lastLimit, tiles[i].Visibility.Limit);
        }

        int valueColumns = tiles->ValueColumns;
        long keyStride = call.KeyStrides.Length, valueStride = call.ValueStrides.Length;
        float* keys = call.Key + tiles->Rows.KeyOffset(call.KeyStrides), values = call.Value + tiles->Rows.KeyOffset(call.ValueStrides);
        Prefetcher ahead = new(call.IsLarge);
        int* seenBy = stackalloc int[tileCount];

        // For each tile the part of the keys that it is in; −1 before the first.
        int keysPerPart = TileState<TVector, TSpec>.KeysPerPart(call);
        int* parts = stackalloc int[tileCount];
        new Span<int>(parts, tileCount).Fill(-1);
        for (int first = firstBlock, count; (count = Math.Min(call.KeyBlock, lastLimit - first)) > 0; first += count)
        {
            int mostSeen = 0;
            for (int i = 0; i < tileCount; i++)
                mostSeen = Math.Max(mostSeen, seenBy[i] = tiles[i].Visibility.Seen(first, call.KeyBlock));
            if (mostSeen == 0)
                continue;

            float* key = keys + first * keyStride, value = values + first * valueStride;
            if (count < TTiles.KeyRows || keyStride != call.HeadDim)
                key = BlockStage.Copy(key, keyStride, call.HeadDim, count, stages.Key, call.HeadDim, Math.Max(count, TTiles.KeyRows));

            if (careful || valueStride != call.ValueDim || valueStride != valueColumns)
                value = BlockStage.Copy(value, valueStride, call.ValueDim, count, stages.Value, valueColumns, count);
            if (careful)
                BlockStage.ZeroNonFinite(new(value, count * valueColumns));

            // Tile by tile, so that all share the memory for scores. Scores of all tiles first and then all values is as fast (measured).
            for (int i = 0; i < tileCount; i++)
            {
                ref readonly TileState<TVector, TSpec> tile = ref tiles[i];
                int seen = seenBy[i];
                if (seen == 0)
                    continue;

                bool beginsPart = parts[i] != first / keysPerPart;
                if (beginsPart && parts[i] >= 0)
                    tile.AddPart(isLast: false);
                parts[i] = first / keysPerPart;

                // The query tiles after the first of a head find keys and values in a cache; asking again costs some 3% of a long
                // head's time. Rows that are apart the CPU does not foresee: without asking they cost up to 80%.
                ahead.Clear();
                if (isFirstOfHead && i == 0)
                    ahead.Add(values + first * valueStride, valueStride, call.ValueDim, count);
                if (i == 1 && valueStride != call.ValueDim)
                    ahead.Add(values + (first + count) * valueStride, valueStride, call.ValueDim, Math.Min(call.KeyBlock, lastLimit - first - count));
                ahead.Spread(seen / TTiles.KeyRows + 1);
                TakeScores(call, tile, key, first, seen, careful, ref ahead);
                tile.Step();

                ahead.Clear();
                if (first + count == lastLimit)
                    AddNextTile(call, nextTile, i, keys, ref ahead);
                else if (i == 0 && (isFirstOfHead || keyStride != call.HeadDim))
                    ahead.Add(keys + (first + count) * keyStride, keyStride, call.HeadDim, Math.Min(call.KeyBlock, lastLimit - first - count));
                int nextCount = Math.Min(call.KeyBlock, lastLimit - first - count);
                if (nextCount > 0)
                {
                    MaskPrefetch prefetch = new(ref ahead, first + count, nextCount, tile.Tile.RowCount);
                    tile.Visibility.Masks.Visit(ref prefetch);
                }

                ahead.Spread(valueColumns / TTiles.ValueRows);
                TakeValues(tile, value, valueColumns, beginsPart ? null : tile.Alpha, ref ahead);
                if (careful)
                    tile.AddVisibleNonFinite(call, values + first * valueStride, first, seen, inLanes: true);
            }
        }

        for (int i = 0; i < tileCount; i++)
        {
            if (tiles[i].HasParts)
                tiles[i].AddPart(isLast: true);
        }
    }

    /// <summary>Scores of one block for one register tile, and their maxima.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeScores(in AttentionCall call, in TileState<TVector, TSpec> tile, float* key, int first, int seen, bool careful, ref Prefetcher ahead)
    {
        // A register tile has so many keys at least. Some may be past those that its queries see: that counts as hiding.
        int computed = Math.Max(seen, TTiles.KeyRows);
        // What masks hide, their bias hides; the rest is hidden after the product. Either need not be computed for whole vectors.
        bool hides = tile.Visibility.IsPartial(first, computed);
        bool differ = tile.Visibility.MayDiffer(first, computed) && !careful;
        bool hasBias = Features.Uses<TSpec>(call.Uses, TileMasks<TSpec>.Kinds | AttentionFeatures.Alibi), isCapped = ScoreSteps<TVector>.HasCap<TSpec>(call.Uses);
        if (hasBias)
            tile.PackBias(call, first, seen, computed);

        // −∞ + NaN is NaN: a key that a mask hides may show. As with values, that is seen in the end.
        bool fuses = hasBias && !isCapped && !careful;
        new Span<float>(tile.Max, tile.Width).CopyTo(new Span<float>(tile.Block.NewMax, tile.Width));
        float* max = hides || isCapped || hasBias != fuses ? tile.Block.UnusedMax : tile.Block.NewMax;
        tile.Visibility.CountKeys(tile.Block.Counts, tile.Width / TVector.Count, TVector.Count, first, seen, TTiles.KeyRows, differ);

        // As in TakeValues.
        for (int v = 0, from = 0, vectors = tile.Width / TVector.Count; v < vectors; v++)
        {
            int q = v * TVector.Count, end = tile.Block.Counts[v], offset = from * tile.Stride + q;
            if (end > from)
            {
                TTiles.Scores(
                    vectors - v,
                    ref key[(long)from * call.HeadDim],
                    ref tile.Query[q],
                    ref *(fuses ? tile.Block.Bias + offset : null),
                    ref tile.Block.Score[offset],
                    ref max[q],
                    Math.Max(end - from, TTiles.KeyRows),
                    call.HeadDim,
                    ref ahead);
            }

            from = end;
        }

        ScoreSteps<TVector>.RunBlock<TSpec>(tile.Block, call.Uses, call.Softcap, addsBias: hasBias && !fuses);
        if (hides)
            tile.HideKeys(first, seen);
    }

    /// <summary>Output of one block for one register tile, from its probabilities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeValues(in TileState<TVector, TSpec> tile, float* value, int valueColumns, float* alpha, ref Prefetcher ahead)
    {
        // Keys that all vectors take, then those that only the vectors from the second on do, and so on: parts of one sum, so that a
        // query's bits do not depend on the other queries of the tile.
        for (int v = 0, from = 0, vectors = tile.Width / TVector.Count; v < vectors;)
        {
            int q = v * TVector.Count, end = tile.Block.Counts[v], complete = 1;
            while (v + complete < vectors && tile.Block.Counts[v + complete] == end)
                complete++;
            TTiles.Values(
                vectors - v,
                complete,
                continues: from > 0,
                ref value[(long)from * valueColumns],
                ref tile.Block.Score[from * tile.Stride + q],
                ref *(alpha == null ? null : alpha + q),
                ref tile.BlockSum[q],
                ref tile.Output[q],
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
        long streamRows = Math.Min(call.Partition.RowsOf(next, call.Shape) - nextTile.FirstRow, nextTile.RowCount);
        int count = (int)Math.Min(Math.Min(registerRows, streamRows - firstRow), next.QueryLength);
        if (count <= 0)
            return;
        TileRowMap rows = new(call, nextTile, next);
        float* nextKeys = call.Key + rows.KeyOffset(call.KeyStrides);
        if (nextKeys != keys && part == 0)
            ahead.Add(nextKeys, call.KeyStrides.Length, call.HeadDim, Math.Min(call.KeyBlock, next.KeyLength));
        ahead.Add(call.Query + rows.Offset(firstRow, call.QueryStrides), call.QueryStrides.Length, call.HeadDim, count);
        ahead.Add(call.Output + rows.Offset(firstRow, call.OutputStrides), call.OutputStrides.Length, call.ValueDim, count);
    }

    /// <summary>Whether the keys of the longest sequence are more than a part's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasParts(in AttentionCall call) => call.Shape.KeyLength > TileState<TVector, TSpec>.KeysPerPart(call);

    /// <summary>Keys in the largest block that a register tile is given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int BlockRows(in AttentionCall call) => Math.Max(Math.Min(call.KeyBlock, call.Shape.KeyLength), TTiles.KeyRows);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ValueColumns(in AttentionCall call) => (call.ValueDim + TTiles.ValueRows - 1) / TTiles.ValueRows * TTiles.ValueRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long StageFloats(int rows, int columns) => Workspace.Aligned((long)rows * columns);

    /// <summary>Memory for copies of a block of keys and one of values.</summary>
    private readonly struct Stages(float* key, float* value)
    {
        public readonly float* Key = key;
        public readonly float* Value = value;
    }
}
