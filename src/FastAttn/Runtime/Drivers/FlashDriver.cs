using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of one query tile, key block by key block (FlashAttention 2, arXiv 2307.08691, with queries in lanes):
/// scores, mask, softmax step, values; then the division by the sum. A query tile is one or more register tiles, so that a
/// block of keys and values is brought into the core's caches, or copied, once for all of them. Sequences of few queries are left to
/// <see cref="RowDriver{TVector, TSpec}"/>.
/// </summary>
/// <typeparam name="TTiles">The register tiles.</typeparam>
/// <typeparam name="TVector">The vector that they use.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
/// <param name="narrower">The driver for the last queries of a query tile if they fill no more than half a vector; null for none.</param>
internal sealed unsafe partial class FlashDriver<TTiles, TVector, TSpec>(TileDriver? narrower)
    : TileDriver(new(TVector.Count, TTiles.MaxVectors * TVector.Count, TTiles.QueryTiles, TTiles.KeyBlock, TTiles.KeyRows, TTiles.ValueRows, KeyVisibility<TSpec>.HasRanges), narrower)
    where TTiles : struct, IAttentionTiles
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    private readonly TileDriver? _narrower = narrower;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        (int First, int Count) splits = call.SplitsOf(sequence);
        if (tile.Split >= splits.Count)
            return; // A sequence of fewer keys, or of many queries.
        long streamRows = call.Plan.Partition.RowsOf(sequence, call.GroupSize);
        if (tile.Split == 0 && call.Visibility.QueryLengths != null && tile.FirstRow + tile.RowCount > streamRows)
            PaddingRows.Clear(call, tile, sequence, streamRows);
        if (tile.FirstRow >= streamRows)
            return; // A shorter sequence.
        int rowCount = (int)Math.Min(tile.RowCount, streamRows - tile.FirstRow);
        if (call.OwnQueries(sequence) <= call.Plan.MaxFewQueries)
        {
            // A short sequence beside long ones, whose groups are not folded: the tile of a group's first head also takes the others' rows, so that keys are read once.
            bool folds = !tile.IsFolded && call.GroupSize > 1 && sequence.QueryLength <= call.Plan.MaxFewQueries;
            if (!folds)
                RowDriver<TVector, TSpec>.Run(call, tile.Part(0, rowCount), sequence, splits, workspace);
            else if (tile.Stream % call.GroupSize == 0)
                RowDriver<TVector, TSpec>.Run(call, tile with { Stream = tile.Stream / call.GroupSize, RowCount = call.GroupSize * rowCount, IsFolded = true }, sequence, splits, workspace);
            return;
        }

        // Bit-identical: a lane is one query, and its arithmetic does not depend on the vector's width.
        bool isFirstOfHead = call.Plan.Partition.IsFirstOfStream(tile, streamRows);
        int last = call.Plan.SplitsTiles ? rowCount % TVector.Count : rowCount, first = rowCount - last;
        if (last > call.Plan.MaxNarrowQueries)
            (first, last) = (rowCount, 0);
        if (first > 0)
            RunLanes(call, call.Plan.Lanes, tile.Part(0, first), sequence, last > 0 ? default : nextTile, isFirstOfHead, workspace);
        if (last > 0)
            _narrower!.RunLanes(call, call.Plan.NarrowLanes, tile.Part(first, last), sequence, nextTile, isFirstOfHead && first == 0, workspace);
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
            QueryTile rows = tile.Part(firstRow, Math.Min(registerRows, tile.RowCount - firstRow));
            tiles[i] = new(call, plan, rows, sequence, workspace.Memory, i);
            tiles[i].PackQuery(call);
        }

        PagesAndScales* pagesAndScales = stackalloc PagesAndScales[2];
        FindKeysAndValues(call, plan, *tiles, pagesAndScales, workspace.Memory, isFirstOfHead, out KeyValueBlocks<TVector> keyValues);
        if (Take(call, tiles, tileCount, keyValues, nextTile))
            return;

        // A value that a query may not see has the weight 0, but 0·NaN is NaN: a value that is not finite reaches the output. This is
        // detected in the output at the end, so that the usual case pays nothing, and the tile is computed again with care.
        keyValues.CleansValues = true;
        Take(call, tiles, tileCount, keyValues, nextTile);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FindKeysAndValues(
        in AttentionCall call, in LanePlan plan, in RegisterTile<TVector, TSpec> tile, PagesAndScales* pagesAndScales, float* memory, bool isFirstOfHead, out KeyValueBlocks<TVector> keyValues)
    {
        keyValues = default;
        keyValues.Keys = HeadRows.Keys(call.Operands, tile.Queries.Rows, pagesAndScales);
        keyValues.Values = HeadRows.Values(call.Operands, tile.Queries.Rows, pagesAndScales + 1);
        keyValues.HeadDim = call.Operands.HeadDim;
        keyValues.ValueDim = call.Operands.ValueDim;
        keyValues.ValueColumns = plan.ValueColumns;
        keyValues.KeyBlock = call.Plan.KeyBlock;
        keyValues.MinKeyRows = TTiles.KeyRows;
        keyValues.CopiesKeys = plan.CopiesKeys;
        keyValues.CopiesValues = plan.CopiesValues;
        keyValues.IsFirstOfHead = isFirstOfHead;
        keyValues.KeyStage = plan.Block.KeyStage.In(memory);
        keyValues.ValueStage = plan.Block.ValueStage.In(memory);
    }

    /// <summary>Computes the tiles; returns whether nothing has reached a query that it may not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(in AttentionCall call, RegisterTile<TVector, TSpec>* tiles, int tileCount, in KeyValueBlocks<TVector> keyValues, in QueryTile nextTile)
    {
        int* numbers = stackalloc int[2 * tileCount];
        TileGroup<TVector, TSpec> group = new(tiles, tileCount, numbers, call.Plan);
        for (int i = 0; i < tileCount; i++)
        {
            ref readonly KeyVisibility<TSpec> visibility = ref tiles[i].Queries.Visibility;
            tiles[i].Softmax.Begin(tiles[i].Queries.Sinks, hasKeys: visibility.FirstBlock(call.Plan.KeyBlock) < visibility.Limit);
        }

        Prefetcher ahead = new(call.Plan.AsksAhead);
        KeyValueBlock block = new() { First = group.First };
        while (keyValues.Next(group, ref block))
        {
            // Each register tile finishes the whole block before the next one begins, so that all share the memory for scores. Taking the scores
            // of all first, and then all values, is as fast (measured).
            for (int i = 0; i < tileCount; i++)
            {
                if (group.SeenBy(i) > 0)
                    TakeBlock(call, tiles[i], group, i, keyValues, block, nextTile, ref ahead);
            }
        }

        group.EndParts();

        bool isFinite = true;
        for (int i = 0; i < tileCount; i++)
        {
            tiles[i].Finish(call);
            if (KeyVisibility<TSpec>.HasRanges)
                isFinite &= tiles[i].Softmax.IsFinite();
        }

        return isFinite;
    }

    /// <summary>Adds a key block to the state of one register tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeBlock(
        in AttentionCall call,
        in RegisterTile<TVector, TSpec> tile,
        in TileGroup<TVector, TSpec> group,
        int index,
        in KeyValueBlocks<TVector> keyValues,
        in KeyValueBlock block,
        in QueryTile nextTile,
        ref Prefetcher ahead)
    {
        int seen = group.SeenBy(index);
        bool beginsPart = group.BeginsPart(index, block.First);

        ahead.Clear();
        keyValues.AskForValues(ref ahead, block, index);
        ahead.Spread(seen / TTiles.KeyRows + 1);
        TakeScores(call, tile, block, seen, keyValues.CleansValues, ref ahead);

        tile.Softmax.Step(tile.Block);

        ahead.Clear();
        if (block.IsLast)
            AskForNextTile(call, nextTile, index, keyValues, ref ahead);
        else
            AskForNextBlock(tile, index, keyValues, block, ref ahead);
        ahead.Spread(tile.Softmax.Columns / TTiles.ValueRows);
        TakeValues(tile, block.Values, beginsPart ? null : tile.Softmax.Alpha, ref ahead);
        if (keyValues.CleansValues)
            tile.AddVisibleNonFinite(block, seen, call.Operands.ValueDim);
    }

    /// <summary>Scores of one block for one register tile, and their maxima.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeScores(in AttentionCall call, in RegisterTile<TVector, TSpec> tile, in KeyValueBlock block, int seen, bool careful, ref Prefetcher ahead)
    {
        // The product computes at least a register tile's keys. Keys past those that the queries see are hidden like those past a range's end.
        int first = block.First, computed = Math.Max(seen, TTiles.KeyRows), headDim = call.Operands.HeadDim;
        ref readonly ScoreBlock scores = ref tile.Block;

        // The bias hides what masks hide, and a step after the product hides keys outside ranges. What neither shows to any query of a vector is
        // not computed for that vector.
        bool hides = tile.Queries.Visibility.IsPartial(first, computed), differ = !careful && tile.Queries.Visibility.MayDiffer(first, computed);
        bool hasBias = ScoreBias<TVector, TSpec>.IsUsed(call.Uses), isChanged = ScoreSteps<TVector>.HasStepsBeforeBias<TSpec>(call.Uses);
        if (hasBias)
            ScoreBias<TVector, TSpec>.Pack(tile.Queries, call.Uses, scores, first, seen, computed);

        // The product adds the bias unless a step comes between. Then a NaN that the bias should hide stays NaN, since −∞ + NaN is NaN. This
        // is detected in the output at the end, as with values; with care, the bias is added after the product, where it hides any score.
        bool fuses = hasBias && !isChanged && !careful;
        new Span<float>(scores.Max, scores.Width).CopyTo(new Span<float>(scores.NewMax, scores.Width));
        float* max = hides || isChanged || hasBias != fuses ? scores.UnusedMax : scores.NewMax;
        tile.Queries.Visibility.CountKeys(scores.Counts, tile.Vectors, TVector.Count, first, seen, TTiles.KeyRows, differ);

        // The keys that all vectors need come first, then those that only the vectors from the second on need, and so on.
        for (int v = 0, from = 0, vectors = tile.Vectors; v < vectors; v++)
        {
            int q = v * TVector.Count, end = scores.Counts[v], offset = from * scores.Stride + q;
            if (end > from)
            {
                TTiles.Scores(
                    vectors - v,
                    ref *block.Keys.Floats(from),
                    ref tile.Query[q],
                    ref *(fuses ? scores.Bias + offset : null),
                    ref scores.Score[offset],
                    ref max[q],
                    Math.Max(end - from, TTiles.KeyRows),
                    headDim,
                    ref ahead);
            }

            from = end;
        }

        ScoreSteps<TVector>.RunBlock<TSpec>(scores, call.Uses, call.Scoring, addsBias: hasBias && !fuses);
        if (hides)
            tile.HideKeys(first, seen);
    }

    /// <summary>Output of one block for one register tile, from its probabilities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeValues(in RegisterTile<TVector, TSpec> tile, in StoredRows values, float* alpha, ref Prefetcher ahead)
    {
        ref readonly ScoreBlock scores = ref tile.Block;
        ref readonly SoftmaxState<TVector> softmax = ref tile.Softmax;

        // The keys that all vectors need come first, then those that only the vectors from the second on need, and so on. These are parts of
        // one sum, so that a query's bits do not depend on the other queries of the tile.
        for (int v = 0, from = 0, vectors = tile.Vectors; v < vectors;)
        {
            int q = v * TVector.Count, end = scores.Counts[v], complete = 1;
            while (v + complete < vectors && scores.Counts[v + complete] == end)
                complete++;
            TTiles.Values(
                vectors - v,
                complete,
                continues: from > 0,
                ref *values.Floats(from),
                ref scores.Score[from * scores.Stride + q],
                ref *(alpha == null ? null : alpha + q),
                ref softmax.BlockSum[q],
                ref softmax.Output[q],
                end - from,
                softmax.Columns,
                ref ahead);
            v += complete;
            from = end;
        }
    }

    /// <summary>Prefetches what a register tile reads of the next block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskForNextBlock(in RegisterTile<TVector, TSpec> tile, int index, in KeyValueBlocks<TVector> keyValues, in KeyValueBlock block, ref Prefetcher ahead)
    {
        keyValues.AskForNextKeys(ref ahead, block, index);
        MaskPrefetch prefetch = new(ref ahead, block.First + block.Count, Math.Min(keyValues.KeyBlock, block.KeysAfter), tile.Queries.Count);
        tile.Queries.Visibility.Masks.Visit(ref prefetch);
    }

    /// <summary>Prefetches the rows of a register tile of the next query tile and, if that belongs to another head, its first keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AskForNextTile(in AttentionCall call, in QueryTile nextTile, int index, in KeyValueBlocks<TVector> keyValues, ref Prefetcher ahead)
    {
        if (nextTile.RowCount == 0)
            return;
        ref readonly CallOperands operands = ref call.Operands;
        Sequence next = call.SequenceAt(nextTile.Batch);
        int registerRows = TTiles.MaxVectors * TVector.Count, firstRow = index * registerRows;
        long streamRows = Math.Min(call.Plan.Partition.RowsOf(next, call.GroupSize) - nextTile.FirstRow, nextTile.RowCount);
        int count = (int)Math.Min(Math.Min(registerRows, streamRows - firstRow), next.QueryLength);
        if (count <= 0)
            return;
        TileRowMap rows = default;
        rows.Set(call, nextTile, next);
        if (index == 0)
        {
            PagesAndScales pagesAndScales;
            keyValues.AskForHead(ref ahead, HeadRows.Keys(operands, rows, &pagesAndScales), next.KeyLength);
        }

        AskFor(ref ahead, operands.QueryRow(rows.Offset(firstRow, operands.QueryStrides)), operands.QueryElement, operands.QueryStrides.Length, operands.HeadDim, count);
        AskFor(ref ahead, operands.OutputRow(rows.Offset(firstRow, operands.OutputStrides)), operands.OutputElement, operands.OutputStrides.Length, operands.ValueDim, count);
    }

    /// <summary>Prefetches rows of queries or outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskFor(ref Prefetcher ahead, byte* rows, AttentionElement element, long stride, int columns, int count) =>
        ahead.AddBytes(rows, CallOperands.BytesOf(element, stride), CallOperands.BytesOf(element, columns), count);
}
