using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of one query tile, key block by key block (FlashAttention 2, arXiv 2307.08691, with queries in lanes):
/// scores, mask, softmax step, values; then the division by the sum.
/// </summary>
/// <typeparam name="TTiles">The register tiles.</typeparam>
/// <typeparam name="TVector">The vector that they use.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal sealed unsafe class FlashDriver<TTiles, TVector, TSpec> : TileDriver
    where TTiles : struct, IAttentionTiles
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    private const float Log2E = 1.442695040888963f;

    /// <summary>Features by which a query may see other keys than its sequence has.</summary>
    private const AttentionFeatures RangeFeatures = AttentionFeatures.KeyLengths | AttentionFeatures.Window | AttentionCall.MaskFeatures;

    internal override int TileRows => TTiles.MaxVectors * TVector.Count;

    internal override int KeyBlock => TTiles.KeyBlock;

    private static bool HasRanges => TSpec.Mask != AttentionMask.None || (TSpec.Features & RangeFeatures) != 0;

    private static bool HasStarts => (TSpec.Features & AttentionFeatures.Window) != 0;

    internal override long WorkspaceFloats(in AttentionCall call) => new Scratch(null, call, TileRows).Floats;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace)
    {
        Sequence sequence = call.SequenceAt(tile.Batch);
        long rowsOfStream = call.Partition.RowsOf(sequence, call.Shape);
        if (tile.FirstRow >= rowsOfStream)
            return; // A shorter sequence of a ragged batch.
        QueryTile own = tile with { RowCount = (int)Math.Min(tile.RowCount, rowsOfStream - tile.FirstRow) };
        bool isFirstOfHead = own.FirstRow + own.RowCount == rowsOfStream;

        int width = (own.RowCount + TVector.Count - 1) / TVector.Count * TVector.Count;
        Scratch scratch = new(workspace.Memory, call, width);
        TileRowMap rows = new(call, own, sequence);
        KeyRange range = FindRange(call, own, sequence, rows, scratch);

        // 0·NaN is NaN: values that a query may not see have reached it if they were not finite. That is seen in the end,
        // so the usual case pays nothing, and the tile is computed again with care.
        if (!Take(call, own, nextTile, sequence, rows, scratch, range, isFirstOfHead, careful: false) && HasRanges)
            Take(call, own, nextTile, sequence, rows, scratch, range, isFirstOfHead, careful: true);
    }

    /// <summary>Computes the tile; returns whether all of its output is finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Take(
        in AttentionCall call, in QueryTile tile, in QueryTile nextTile, in Sequence sequence, in TileRowMap rows, in Scratch scratch, in KeyRange range, bool isFirstOfHead, bool careful)
    {
        new Span<float>(scratch.Output, scratch.ValueColumns * scratch.Width).Clear();
        Begin(call, tile, rows, scratch);
        if (DecodeTile<TVector>.Suits(sequence))
        {
            TakeKeysByRows(call, tile, sequence, rows, scratch, range, careful);
            FinishRows(call, tile, rows, scratch);
        }
        else
        {
            TakeKeys(call, tile, nextTile, sequence, rows, scratch, range, isFirstOfHead, careful);
            Finish(call, tile, rows, scratch);
        }

        return !HasRanges || !HasNonFinite(scratch.Output, scratch.ValueColumns * scratch.Width);
    }

    /// <summary>Many queries: a lane for each, in register tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeys(
        in AttentionCall call, in QueryTile tile, in QueryTile nextTile, in Sequence sequence, in TileRowMap rows, in Scratch scratch, in KeyRange range, bool isFirstOfHead, bool careful)
    {
        int width = scratch.Width, vectors = width / TVector.Count;
        PackQuery(call, tile, rows, scratch);
        // Later tiles find keys and values in a cache; asking again costs some 3% of a long head's time.
        Prefetcher ahead = default;
        float* keys = call.Key + rows.KeyOffset(call.KeyStrides);
        float* values = call.Value + rows.KeyOffset(call.ValueStrides);
        bool changesScores = ChangesScores(call);
        int lastLimit = range.LastLimit;

        // Blocks begin at multiples of their size whatever the tile, so that results do not depend on its other queries.
        for (int first = FirstBlock(call, range); first < lastLimit; first += call.KeyBlock)
        {
            int count = Math.Min(call.KeyBlock, lastLimit - first);
            int staged = Math.Max(count, TTiles.KeyRows);
            float* key = keys + first * call.KeyStrides.Length;
            if (staged != count || call.KeyStrides.Length != call.HeadDim)
                key = Stage(key, call.KeyStrides.Length, call.HeadDim, count, scratch.Key, call.HeadDim, staged);

            bool hides = HasRanges && range.Hides(first, count);
            new Span<float>(scratch.Max, width).CopyTo(new Span<float>(scratch.NewMax, width));
            ref float max = ref *(hides || changesScores ? scratch.Unused : scratch.NewMax);
            ahead.Clear();
            if (isFirstOfHead)
                ahead.Add(values + first * call.ValueStrides.Length, call.ValueStrides.Length, call.ValueDim, count);
            ahead.Spread(staged / TTiles.KeyRows);
            TTiles.Scores(vectors, ref *key, ref *scratch.Query, ref *scratch.Score, ref max, staged, call.HeadDim, ref ahead);
            if (changesScores)
                ChangeScores(call, tile, sequence, rows, scratch, first, count);
            if (hides)
                HideKeys(scratch, first, count);

            OnlineSoftmax.Step<TVector>(ref *scratch.Score, ref *scratch.NewMax, ref *scratch.Max, ref *scratch.Sum, ref *scratch.Alpha, count, width);

            float* value = values + first * call.ValueStrides.Length;
            long valueStride = call.ValueStrides.Length;
            if (careful || valueStride != call.ValueDim || valueStride != scratch.ValueColumns)
                value = Stage(value, valueStride, call.ValueDim, count, scratch.Value, scratch.ValueColumns, count);
            if (careful)
                ZeroNonFinite(value, count * scratch.ValueColumns);
            ahead.Clear();
            if (first + count == lastLimit)
                AddNextTile(call, nextTile, rows, ref ahead);
            else if (isFirstOfHead)
                ahead.Add(keys + (first + count) * call.KeyStrides.Length, call.KeyStrides.Length, call.HeadDim, Math.Min(call.KeyBlock, lastLimit - first - count));
            ahead.Spread(scratch.ValueColumns / TTiles.ValueRows);
            TTiles.Values(vectors, ref *value, ref *scratch.Score, ref *scratch.Alpha, ref *scratch.Output, count, scratch.ValueColumns, ref ahead);
            if (careful)
                AddVisibleNonFinite(call, values + first * valueStride, scratch, first, count, tile.RowCount, keyStep: width, rowStep: 1, columnStep: width, outputStep: 1);
        }
    }

    /// <summary>Asks for what the next tile begins with: its rows and, if they belong to another head, the first keys of that.</summary>
    private static void AddNextTile(in AttentionCall call, in QueryTile nextTile, in TileRowMap rows, ref Prefetcher ahead)
    {
        if (nextTile.RowCount == 0)
            return;
        Sequence next = call.SequenceAt(nextTile.Batch);
        int count = (int)Math.Min(Math.Min(nextTile.RowCount, next.QueryLength), call.Partition.RowsOf(next, call.Shape) - nextTile.FirstRow);
        if (count <= 0)
            return;
        TileRowMap nextRows = new(call, nextTile, next);
        long keys = nextRows.KeyOffset(call.KeyStrides);
        if (keys != rows.KeyOffset(call.KeyStrides))
            ahead.Add(call.Key + keys, call.KeyStrides.Length, call.HeadDim, Math.Min(call.KeyBlock, next.KeyLength));
        ahead.Add(call.Query + nextRows.Offset(0, call.QueryStrides), call.QueryStrides.Length, call.HeadDim, count);
        ahead.Add(call.Output + nextRows.Offset(0, call.OutputStrides), call.OutputStrides.Length, call.ValueDim, count);
    }

    /// <summary>Few queries: one at a time, with the head dimension in lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeysByRows(
        in AttentionCall call, in QueryTile tile, in Sequence sequence, in TileRowMap rows, in Scratch scratch, in KeyRange range, bool careful)
    {
        int headDim = call.HeadDim, valueDim = call.ValueDim, rowCount = tile.RowCount;
        float scale = QueryScale(call);
        for (int q = 0; q < rowCount; q++)
        {
            float* source = call.Query + rows.Offset(q, call.QueryStrides);
            for (int t = 0; t < headDim; t++)
                scratch.Query[(long)q * headDim + t] = source[t] * scale;
        }

        float* keys = call.Key + rows.KeyOffset(call.KeyStrides);
        float* values = call.Value + rows.KeyOffset(call.ValueStrides);
        int* start = (int*)scratch.Unused, limit = (int*)scratch.NewMax;
        for (int first = FirstBlock(call, range); first < range.LastLimit; first += call.KeyBlock)
        {
            int count = Math.Min(call.KeyBlock, range.LastLimit - first), following = range.LastLimit - first - count;
            DecodeTile<TVector>.Scores(
                scratch.Query, rowCount, keys + first * call.KeyStrides.Length, call.KeyStrides.Length, headDim, count, following, scratch.Score);
            for (int q = 0; q < rowCount; q++)
            {
                start[q] = HasStarts ? Math.Clamp(scratch.Starts[q] - first, 0, count) : 0;
                limit[q] = HasRanges ? Math.Clamp(scratch.Limits[q] - first, start[q], count) : count;
                float* score = scratch.Score + (long)q * count + start[q];
                int seen = limit[q] - start[q];
                ChangeRowScores(call, sequence, rows, scratch, q, score, first + start[q], seen, scratch.Mask + (long)q * count + start[q]);
                float alpha = DecodeTile<TVector>.Step(score, seen, ref scratch.Max[q], ref scratch.Sum[q]);
                float* output = scratch.Output + (long)q * valueDim;
                for (int c = 0; c < valueDim; c++)
                    output[c] *= alpha;
            }

            float* value = values + first * call.ValueStrides.Length;
            long valueStride = call.ValueStrides.Length;
            if (careful)
            {
                value = Stage(value, valueStride, valueDim, count, scratch.Value, valueDim, count);
                valueStride = valueDim;
                ZeroNonFinite(value, count * valueDim);
            }

            DecodeTile<TVector>.Values(scratch.Score, rowCount, start, limit, value, valueStride, valueDim, count, careful ? 0 : following, scratch.Output);
            if (careful)
                AddVisibleNonFinite(call, values + first * call.ValueStrides.Length, scratch, first, count, rowCount, keyStep: 1, rowStep: count, columnStep: 1, outputStep: valueDim);
        }
    }

    /// <summary>O[q][c] = O[q][c] / l[q].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FinishRows(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch)
    {
        float* inverse = FinishSums(call, tile, rows, scratch);
        for (int q = 0; q < tile.RowCount; q++)
        {
            float* source = scratch.Output + (long)q * call.ValueDim;
            float* destination = call.Output + rows.Offset(q, call.OutputStrides);
            for (int c = 0; c < call.ValueDim; c++)
                destination[c] = source[c] * inverse[q];
        }
    }

    /// <summary>The state before any key: no maximum and a sum of 0, or a sink's logit and 1.</summary>
    private static void Begin(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch)
    {
        new Span<float>(scratch.Max, scratch.Width).Fill(OnlineSoftmax.NoMax);
        new Span<float>(scratch.Sum, scratch.Width).Clear();
        if (!Uses(call, AttentionFeatures.Sinks))
            return;
        for (int q = 0; q < tile.RowCount; q++)
        {
            float sink = call.Sinks[rows.Head(q)] * Log2E;
            if (sink < OnlineSoftmax.NoMax)
                continue;
            scratch.Max[q] = sink;
            scratch.Sum[q] = 1;
        }
    }

    /// <summary>LSE[q] = ln 2·m[q] + ln l[q], −∞ without keys; returns 1 / l[q], 0 without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float* FinishSums(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch)
    {
        const double Ln2 = 0.693147180559945309;
        for (int q = 0; q < tile.RowCount; q++)
        {
            float sum = scratch.Sum[q];
            scratch.Alpha[q] = sum == 0 ? 0 : 1 / sum;
            if (call.LogSumExp != null)
                call.LogSumExp[rows.LogSumExpIndex(q)] = sum == 0 ? float.NegativeInfinity : (float)(scratch.Max[q] * Ln2 + Math.Log(sum));
        }

        return scratch.Alpha;
    }

    /// <summary>Whether this call has the feature; known at compile time where the kernel was not declared with it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Uses(in AttentionCall call, AttentionFeatures feature) => (TSpec.Features & feature) != 0 && (call.Uses & feature) != 0;

    /// <summary>Whether anything but the range of keys lies between the product and the softmax.</summary>
    private static bool ChangesScores(in AttentionCall call) => Uses(call, AttentionCall.MaskFeatures | AttentionFeatures.Alibi | AttentionFeatures.Softcap);

    /// <summary>What queries are multiplied by: scores are in units of log₂, or of the softcap where there is one.</summary>
    private static float QueryScale(in AttentionCall call) => Uses(call, AttentionFeatures.Softcap) ? call.Scale / call.Softcap : call.Scale * Log2E;

    private static int FirstBlock(in AttentionCall call, in KeyRange range) => HasStarts && range.LastLimit > 0 ? range.FirstStart / call.KeyBlock * call.KeyBlock : 0;

    /// <summary>Qt[t][q] = scale·Q[q][t]; lanes without a query are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackQuery(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch)
    {
        void** starts = stackalloc void*[tile.RowCount];
        for (int q = 0; q < tile.RowCount; q++)
            starts[q] = call.Query + rows.Offset(q, call.QueryStrides);
        LanePacking.Pack<FloatElement>(starts, tile.RowCount, 0, call.HeadDim, QueryScale(call), scratch.Query, scratch.Width);
    }

    /// <summary>Softcap, masks and ALiBi of one block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ChangeScores(in AttentionCall call, in QueryTile tile, in Sequence sequence, in TileRowMap rows, in Scratch scratch, int first, int count)
    {
        int width = scratch.Width;
        if (Uses(call, AttentionFeatures.Softcap))
            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Softcap(call.Softcap * Log2E), scratch.Score, scratch.Max, scratch.NewMax, count, width);

        if (Uses(call, AttentionCall.MaskFeatures))
        {
            bool overlay = false;
            if (Uses(call, AttentionFeatures.AdditiveMask))
                PackMask<FloatElement>(call.AdditiveMask, sizeof(float), tile, rows, scratch, first, count, ref overlay);
            if (Uses(call, AttentionFeatures.BooleanMask))
                PackMask<BooleanElement>(call.BooleanMask, sizeof(bool), tile, rows, scratch, first, count, ref overlay);
            if (Uses(call, AttentionFeatures.PackedMask))
                PackMask<BitElement>(call.PackedMask, 0, tile, rows, scratch, first, count, ref overlay);
            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Mask(scratch.Mask, width), scratch.Score, scratch.Max, scratch.NewMax, count, width);
        }

        if (Uses(call, AttentionFeatures.Alibi))
        {
            float* position = scratch.Unused, negativeSlope = scratch.Alpha;
            for (int q = 0; q < width; q++)
            {
                bool isQuery = q < tile.RowCount;
                position[q] = isQuery ? (float)((long)rows.Position(q) + sequence.CausalOffset - first) : 0;
                negativeSlope[q] = isQuery ? -Log2E * call.AlibiSlopes[rows.Head(q)] : 0;
            }

            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Alibi(position, negativeSlope), scratch.Score, scratch.Max, scratch.NewMax, count, width);
        }
    }

    /// <summary>Mt[j][q] = log₂(e)·M[q][j] of one block; its size is that of an element, 0 for a bit.</summary>
    private static void PackMask<TElement>(
        in MaskOperand mask, int size, in QueryTile tile, in TileRowMap rows, in Scratch scratch, int first, int count, ref bool overlay)
        where TElement : struct, IMaskElement
    {
        void** starts = stackalloc void*[tile.RowCount];
        for (int q = 0; q < tile.RowCount; q++)
            starts[q] = MaskRow(mask, size, rows, q);
        LanePacking.Pack<TElement>(starts, tile.RowCount, first, Math.Min(count, mask.Strides.KeyLength - first), Log2E, scratch.Mask, scratch.Width, overlay);
        overlay = true;
    }

    private static void* MaskRow(in MaskOperand mask, int size, in TileRowMap rows, int row)
    {
        long offset = rows.MaskOffset(row, mask.Strides);
        return (byte*)mask.Start + (size == 0 ? offset / 8 : offset * size);
    }

    /// <summary>As <see cref="ChangeScores"/>, for the keys of a block that one query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ChangeRowScores(
        in AttentionCall call, in Sequence sequence, in TileRowMap rows, in Scratch scratch, int row, float* score, int first, int count, float* mask)
    {
        if (Uses(call, AttentionFeatures.Softcap))
            DecodeTile<TVector>.Softcap(score, count, call.Softcap * Log2E);

        if (Uses(call, AttentionCall.MaskFeatures))
        {
            bool overlay = false;
            if (Uses(call, AttentionFeatures.AdditiveMask))
                CopyMask<FloatElement>(call.AdditiveMask, sizeof(float), ref overlay, rows);
            if (Uses(call, AttentionFeatures.BooleanMask))
                CopyMask<BooleanElement>(call.BooleanMask, sizeof(bool), ref overlay, rows);
            if (Uses(call, AttentionFeatures.PackedMask))
                CopyMask<BitElement>(call.PackedMask, 0, ref overlay, rows);
            DecodeTile<TVector>.AddMask(score, mask, count);
        }

        if (Uses(call, AttentionFeatures.Alibi))
            DecodeTile<TVector>.AddAlibi(score, count, (long)rows.Position(row) + sequence.CausalOffset - first, Log2E * call.AlibiSlopes[rows.Head(row)]);

        void CopyMask<TElement>(in MaskOperand operand, int size, ref bool overlay, in TileRowMap rows)
            where TElement : struct, IMaskElement
        {
            LanePacking.Copy<TElement>(MaskRow(operand, size, rows, row), first, count, Log2E, mask, overlay);
            overlay = true;
        }
    }

    /// <summary>O[q][c] = Ot[c][q] / l[q].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch)
    {
        int width = scratch.Width, dim = call.ValueDim;
        float* inverse = FinishSums(call, tile, rows, scratch);
        int row = 0;
        for (; row + 4 <= tile.RowCount; row += 4)
        {
            float* a = call.Output + rows.Offset(row, call.OutputStrides);
            float* b = call.Output + rows.Offset(row + 1, call.OutputStrides);
            float* c = call.Output + rows.Offset(row + 2, call.OutputStrides);
            float* d = call.Output + rows.Offset(row + 3, call.OutputStrides);
            float* source = scratch.Output + row;
            Vector128<float> factor = Vector128.Load(inverse + row);
            int t = 0;
            for (; t + 4 <= dim; t += 4, source += 4 * width)
            {
                Vector128<float> va = Vector128.Load(source) * factor, vb = Vector128.Load(source + width) * factor;
                Vector128<float> vc = Vector128.Load(source + 2 * width) * factor, vd = Vector128.Load(source + 3 * width) * factor;
                Transpose.InPlace(ref va, ref vb, ref vc, ref vd);
                va.Store(a + t);
                vb.Store(b + t);
                vc.Store(c + t);
                vd.Store(d + t);
            }

            for (; t < dim; t++, source += width)
            {
                a[t] = source[0] * inverse[row];
                b[t] = source[1] * inverse[row + 1];
                c[t] = source[2] * inverse[row + 2];
                d[t] = source[3] * inverse[row + 3];
            }
        }

        for (; row < tile.RowCount; row++)
        {
            float* destination = call.Output + rows.Offset(row, call.OutputStrides);
            for (int t = 0; t < dim; t++)
                destination[t] = scratch.Output[t * width + row] * inverse[row];
        }
    }

    /// <summary>The keys that each lane sees, and the range of that over all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static KeyRange FindRange(in AttentionCall call, in QueryTile tile, in Sequence sequence, in TileRowMap rows, in Scratch scratch)
    {
        int keyLength = sequence.KeyLength;
        if (!HasRanges)
            return new(0, 0, keyLength, keyLength);
        keyLength = Math.Min(keyLength, call.MaskKeyLength);
        KeyRange range = KeyRange.None;
        for (int q = 0; q < scratch.Width; q++)
        {
            scratch.Starts[q] = scratch.Limits[q] = 0;
            if (q >= tile.RowCount)
                continue;
            long position = (long)rows.Position(q) + sequence.CausalOffset;
            int limit = (int)Math.Clamp(position + call.Right + 1, 0, keyLength);
            int start = HasStarts ? (int)Math.Clamp(position - call.Left, 0, limit) : 0;
            scratch.Starts[q] = start;
            scratch.Limits[q] = limit;
            range = range.With(start, limit);
        }

        return range;
    }

    /// <summary>Sets the scores of keys outside a lane's range to −∞ and takes the maximum of what is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void HideKeys(in Scratch scratch, int first, int count)
    {
        // Relative to the block, so that they are exact as floats.
        float* start = scratch.Unused, limit = scratch.Alpha;
        for (int q = 0; q < scratch.Width; q++)
        {
            if (HasStarts)
                start[q] = Math.Clamp(scratch.Starts[q] - first, 0, count);
            limit[q] = Math.Clamp(scratch.Limits[q] - first, 0, count);
        }

        if (HasStarts)
            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Range(start, limit), scratch.Score, scratch.Max, scratch.NewMax, count, scratch.Width);
        else
            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Limit(limit), scratch.Score, scratch.Max, scratch.NewMax, count, scratch.Width);
    }

    /// <summary>
    /// Copies a block whose rows are apart, short or too few: rows of the source far apart compete for the same cache
    /// sets (4096 bytes apart they cost 25%). Columns past the source's are 0, rows past its last repeat it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float* Stage(float* source, long sourceStride, int sourceColumns, int sourceRows, float* destination, int columns, int rows)
    {
        for (int j = 0; j < rows; j++)
        {
            Span<float> row = new(destination + (long)j * columns, columns);
            new ReadOnlySpan<float>(source + Math.Min(j, sourceRows - 1) * sourceStride, sourceColumns).CopyTo(row);
            row[sourceColumns..].Clear();
        }

        return destination;
    }

    /// <summary>Whether any of the numbers is NaN or ±∞; a whole number of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool HasNonFinite(float* numbers, int count)
    {
        TVector sum = TVector.Create(0);
        for (int i = 0; i < count; i += TVector.Count)
            sum = TVector.MultiplyAdd(TVector.Load(ref numbers[i]), TVector.Create(0), sum);
        Vector128<float> four = TVector.FoldToFour(sum);
        return Vector128.Sum(four) != 0;
    }

    private static void ZeroNonFinite(float* value, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (!float.IsFinite(value[i]))
                value[i] = 0;
        }
    }

    /// <summary>Adds the products with NaN and ±∞ that were left out, to the queries that see them.</summary>
    private static void AddVisibleNonFinite(
        in AttentionCall call, float* value, in Scratch scratch, int first, int count, int rowCount, int keyStep, int rowStep, int columnStep, int outputStep)
    {
        for (int j = 0; j < count; j++)
        {
            for (int c = 0; c < call.ValueDim; c++)
            {
                float v = value[j * call.ValueStrides.Length + c];
                if (float.IsFinite(v))
                    continue;
                for (int q = 0; q < rowCount; q++)
                {
                    long element = (long)j * keyStep + (long)q * rowStep;
                    bool isSeen = first + j >= scratch.Starts[q] && first + j < scratch.Limits[q]
                        && !(Uses(call, AttentionCall.MaskFeatures) && float.IsNegativeInfinity(scratch.Mask[element]));
                    if (isSeen)
                        scratch.Output[(long)c * columnStep + (long)q * outputStep] += scratch.Score[element] * v;
                }
            }
        }
    }

    /// <summary>A worker's memory, divided; every part begins on a cache line.</summary>
    private readonly struct Scratch
    {
        public Scratch(float* memory, in AttentionCall call, int width)
        {
            int blockRows = Math.Max(Math.Min(call.KeyBlock, call.Shape.KeyLength), TTiles.KeyRows);
            Width = width;
            ValueColumns = (call.ValueDim + TTiles.ValueRows - 1) / TTiles.ValueRows * TTiles.ValueRows;

            long used = 0;
            Query = Take((long)call.HeadDim * width);
            Output = Take((long)ValueColumns * width);
            Score = Take((long)blockRows * width);
            Max = Take(width);
            NewMax = Take(width);
            Sum = Take(width);
            Alpha = Take(width);
            Unused = Take(width);
            Starts = (int*)Take(width);
            Limits = (int*)Take(width);
            Mask = Take(Uses(call, AttentionCall.MaskFeatures) ? (long)blockRows * width : 0);
            Key = Take((long)blockRows * call.HeadDim);
            Value = Take((long)blockRows * ValueColumns);
            Floats = used;

            float* Take(long floats)
            {
                float* part = memory + used;
                used += (floats + 15) & ~15L;
                return part;
            }
        }

        /// <summary>Lanes of the tile.</summary>
        public readonly int Width;

        /// <summary>Value dimension, rounded up to whole value tiles.</summary>
        public readonly int ValueColumns;

        public readonly long Floats;
        public readonly float* Query;
        public readonly float* Output;
        public readonly float* Score;
        public readonly float* Max;
        public readonly float* NewMax;
        public readonly float* Sum;
        public readonly float* Alpha;
        public readonly float* Unused;
        public readonly int* Starts;
        public readonly int* Limits;
        public readonly float* Mask;
        public readonly float* Key;
        public readonly float* Value;
    }
}
