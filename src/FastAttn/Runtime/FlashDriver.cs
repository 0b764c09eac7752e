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
/// <typeparam name="TMask">Which keys a query sees.</typeparam>
internal sealed unsafe class FlashDriver<TTiles, TVector, TMask> : TileDriver
    where TTiles : struct, IAttentionTiles
    where TVector : struct, ILanes<TVector>
    where TMask : struct, IKeyMask
{
    private const float Log2E = 1.442695040888963f;

    internal override int TileRows => TTiles.MaxVectors * TVector.Count;

    internal override int KeyBlock => TTiles.KeyBlock;

    internal override long WorkspaceFloats(in AttentionCall call) => new Scratch(null, call, TileRows).Floats;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace)
    {
        int vectors = (tile.RowCount + TVector.Count - 1) / TVector.Count;
        int width = vectors * TVector.Count;
        Scratch scratch = new(workspace.Memory, call, width);
        TileRowMap rows = new(call, tile);

        new Span<float>(scratch.Output, scratch.ValueColumns * width).Clear();
        new Span<float>(scratch.Max, width).Fill(OnlineSoftmax.NoMax);
        new Span<float>(scratch.Sum, width).Clear();
        (int firstLimit, int lastLimit) = FindLimits(call, tile, rows, scratch.Limits, width);

        if (DecodeTile<TVector>.Suits(call))
            TakeKeysByRows(call, tile, rows, scratch, lastLimit);
        else
            TakeKeys(call, tile, nextTile, rows, scratch, vectors, firstLimit, lastLimit);
    }

    /// <summary>Many queries: a lane for each, in register tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeys(
        in AttentionCall call, in QueryTile tile, in QueryTile nextTile, in TileRowMap rows, in Scratch scratch, int vectors, int firstLimit, int lastLimit)
    {
        int width = scratch.Width;
        PackQuery(call, tile, rows, scratch);
        // Later tiles find keys and values in a cache; asking again costs some 3% of a long head's time.
        bool isFirstOfHead = tile.FirstRow + tile.RowCount == call.Partition.Rows;
        Prefetcher ahead = default;
        float* keys = call.Key + rows.KeyOffset(call.KeyStrides);
        float* values = call.Value + rows.KeyOffset(call.ValueStrides);
        for (int first = 0; first < lastLimit; first += call.KeyBlock)
        {
            int count = Math.Min(call.KeyBlock, lastLimit - first);
            int staged = Math.Max(count, TTiles.KeyRows);
            float* key = keys + first * call.KeyStrides.Length;
            if (staged != count || call.KeyStrides.Length != call.HeadDim)
                key = Stage(key, call.KeyStrides.Length, call.HeadDim, count, scratch.Key, call.HeadDim, staged);

            bool masked = TMask.Kind != AttentionMask.None && firstLimit < first + count;
            new Span<float>(scratch.Max, width).CopyTo(new Span<float>(scratch.NewMax, width));
            ref float max = ref *(masked ? scratch.Unused : scratch.NewMax);
            ahead.Clear();
            if (isFirstOfHead)
                ahead.Add(values + first * call.ValueStrides.Length, call.ValueStrides.Length, call.ValueDim, count);
            ahead.Spread(staged / TTiles.KeyRows);
            TTiles.Scores(vectors, ref *key, ref *scratch.Query, ref *scratch.Score, ref max, staged, call.HeadDim, ref ahead);
            if (masked)
                ApplyLimits(scratch, first, count, width);

            OnlineSoftmax.Step<TVector>(ref *scratch.Score, ref *scratch.NewMax, ref *scratch.Max, ref *scratch.Sum, ref *scratch.Alpha, count, width);

            float* value = values + first * call.ValueStrides.Length;
            long valueStride = call.ValueStrides.Length;
            bool poisoned = masked && HasNonFinite(value, valueStride, call.ValueDim, firstLimit - first, count);
            if (poisoned || valueStride != call.ValueDim || valueStride != scratch.ValueColumns)
                value = Stage(value, valueStride, call.ValueDim, count, scratch.Value, scratch.ValueColumns, count);
            if (poisoned)
                ZeroNonFinite(value, count * scratch.ValueColumns);
            ahead.Clear();
            if (first + count == lastLimit)
                AddNextTile(call, nextTile, rows, ref ahead);
            else if (isFirstOfHead)
                ahead.Add(keys + (first + count) * call.KeyStrides.Length, call.KeyStrides.Length, call.HeadDim, Math.Min(call.KeyBlock, lastLimit - first - count));
            ahead.Spread(scratch.ValueColumns / TTiles.ValueRows);
            TTiles.Values(vectors, ref *value, ref *scratch.Score, ref *scratch.Alpha, ref *scratch.Output, count, scratch.ValueColumns, ref ahead);
            if (poisoned)
                AddVisibleNonFinite(call, values + first * valueStride, scratch, first, count, width);
        }

        Finish(call, tile, rows, scratch);
    }

    /// <summary>Asks for what the next tile begins with: its rows and, if they belong to another head, the first keys of that.</summary>
    private static void AddNextTile(in AttentionCall call, in QueryTile nextTile, in TileRowMap rows, ref Prefetcher ahead)
    {
        if (nextTile.RowCount == 0)
            return;
        TileRowMap nextRows = new(call, nextTile);
        int count = Math.Min(nextTile.RowCount, call.Shape.QueryLength);
        long keys = nextRows.KeyOffset(call.KeyStrides);
        if (keys != rows.KeyOffset(call.KeyStrides))
            ahead.Add(call.Key + keys, call.KeyStrides.Length, call.HeadDim, Math.Min(call.KeyBlock, call.Shape.KeyLength));
        ahead.Add(call.Query + nextRows.Offset(0, call.QueryStrides), call.QueryStrides.Length, call.HeadDim, count);
        ahead.Add(call.Output + nextRows.Offset(0, call.OutputStrides), call.OutputStrides.Length, call.ValueDim, count);
    }

    /// <summary>Few queries: one at a time, with the head dimension in lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeKeysByRows(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch, int lastLimit)
    {
        int headDim = call.HeadDim, valueDim = call.ValueDim, rowCount = tile.RowCount;
        for (int q = 0; q < rowCount; q++)
        {
            float* source = call.Query + rows.Offset(q, call.QueryStrides);
            for (int t = 0; t < headDim; t++)
                scratch.Query[(long)q * headDim + t] = source[t] * (call.Scale * Log2E);
        }

        float* keys = call.Key + rows.KeyOffset(call.KeyStrides);
        float* values = call.Value + rows.KeyOffset(call.ValueStrides);
        int* seen = (int*)scratch.NewMax;
        for (int first = 0; first < lastLimit; first += call.KeyBlock)
        {
            int count = Math.Min(call.KeyBlock, lastLimit - first), following = lastLimit - first - count;
            DecodeTile<TVector>.Scores(
                scratch.Query, rowCount, keys + first * call.KeyStrides.Length, call.KeyStrides.Length, headDim, count, following, scratch.Score);
            for (int q = 0; q < rowCount; q++)
            {
                seen[q] = TMask.Kind == AttentionMask.None ? count : Math.Clamp(scratch.Limits[q] - first, 0, count);
                float alpha = DecodeTile<TVector>.Step(scratch.Score + (long)q * count, seen[q], ref scratch.Max[q], ref scratch.Sum[q]);
                float* output = scratch.Output + (long)q * valueDim;
                for (int c = 0; c < valueDim; c++)
                    output[c] *= alpha;
            }

            DecodeTile<TVector>.Values(
                scratch.Score, rowCount, seen, values + first * call.ValueStrides.Length, call.ValueStrides.Length, valueDim, count, following, scratch.Output);
        }

        float* inverse = FinishSums(call, tile, rows, scratch);
        for (int q = 0; q < tile.RowCount; q++)
        {
            float* source = scratch.Output + (long)q * valueDim;
            float* destination = call.Output + rows.Offset(q, call.OutputStrides);
            for (int c = 0; c < valueDim; c++)
                destination[c] = source[c] * inverse[q];
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

    /// <summary>Qt[t][q] = scale·log₂(e)·Q[q][t]; lanes without a query are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackQuery(in AttentionCall call, in QueryTile tile, in TileRowMap rows, in Scratch scratch)
    {
        float scale = call.Scale * Log2E;
        int width = scratch.Width, dim = call.HeadDim;
        int q = 0;
        for (; q + 4 <= tile.RowCount; q += 4)
        {
            float* a = call.Query + rows.Offset(q, call.QueryStrides);
            float* b = call.Query + rows.Offset(q + 1, call.QueryStrides);
            float* c = call.Query + rows.Offset(q + 2, call.QueryStrides);
            float* d = call.Query + rows.Offset(q + 3, call.QueryStrides);
            float* destination = scratch.Query + q;
            int t = 0;
            for (; t + 4 <= dim; t += 4, destination += 4 * width)
            {
                Vector128<float> va = Vector128.Load(a + t) * scale, vb = Vector128.Load(b + t) * scale;
                Vector128<float> vc = Vector128.Load(c + t) * scale, vd = Vector128.Load(d + t) * scale;
                Transpose.InPlace(ref va, ref vb, ref vc, ref vd);
                va.Store(destination);
                vb.Store(destination + width);
                vc.Store(destination + 2 * width);
                vd.Store(destination + 3 * width);
            }

            for (; t < dim; t++, destination += width)
            {
                destination[0] = a[t] * scale;
                destination[1] = b[t] * scale;
                destination[2] = c[t] * scale;
                destination[3] = d[t] * scale;
            }
        }

        for (; q < width; q++)
        {
            float* source = q < tile.RowCount ? call.Query + rows.Offset(q, call.QueryStrides) : null;
            for (int t = 0; t < dim; t++)
                scratch.Query[t * width + q] = source == null ? 0 : source[t] * scale;
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

    /// <summary>The first key that each lane does not see; returns the least and the greatest of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (int First, int Last) FindLimits(in AttentionCall call, in QueryTile tile, in TileRowMap rows, int* limits, int width)
    {
        int keyLength = call.Shape.KeyLength;
        if (TMask.Kind == AttentionMask.None)
            return (keyLength, keyLength);
        int first = int.MaxValue, last = 0;
        for (int q = 0; q < tile.RowCount; q++)
        {
            int limit = TMask.KeyLimit(rows.Position(q), call.CausalOffset, keyLength);
            limits[q] = limit;
            first = Math.Min(first, limit);
            last = Math.Max(last, limit);
        }

        new Span<int>(limits + tile.RowCount, width - tile.RowCount).Clear();

        return (first, last);
    }

    /// <summary>Sets the scores of keys at or past a lane's limit to −∞ and takes the maximum of what is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyLimits(in Scratch scratch, int first, int count, int width)
    {
        // Relative to the block, so that they are exact as floats.
        float* relative = scratch.Alpha;
        for (int q = 0; q < width; q++)
            relative[q] = Math.Clamp(scratch.Limits[q] - first, 0, count);

        for (int q = 0; q < width; q += TVector.Count)
        {
            TVector limit = TVector.Load(ref relative[q]);
            TVector max = TVector.Load(ref scratch.NewMax[q]);
            float* score = scratch.Score + q;
            for (int j = 0; j < count; j++, score += width)
            {
                TVector s = TVector.SelectGreaterOrEqual(limit, TVector.Create(j + 1), TVector.Load(ref *score), TVector.Create(float.NegativeInfinity));
                s.Store(ref *score);
                max = TVector.Max(max, s);
            }

            max.Store(ref scratch.NewMax[q]);
        }
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

    /// <summary>Whether any value is NaN or ±∞ in rows that some query of the tile may not see: 0·NaN would reach it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool HasNonFinite(float* value, long stride, int columns, int firstRow, int rows)
    {
        float* lanes = stackalloc float[TVector.Count];
        for (int j = Math.Max(firstRow, 0); j < rows; j++)
        {
            float* row = value + j * stride;
            TVector sum = TVector.Create(0);
            int c = 0;
            for (; c + TVector.Count <= columns; c += TVector.Count)
                sum = TVector.MultiplyAdd(TVector.Load(ref row[c]), TVector.Create(0), sum);
            sum.Store(ref *lanes);
            float total = 0;
            for (int q = 0; q < TVector.Count; q++)
                total += lanes[q];
            for (; c < columns; c++)
                total += row[c] * 0;
            if (total != 0)
                return true;
        }

        return false;
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
    private static void AddVisibleNonFinite(in AttentionCall call, float* value, in Scratch scratch, int first, int count, int width)
    {
        for (int j = 0; j < count; j++)
        {
            for (int c = 0; c < call.ValueDim; c++)
            {
                float v = value[j * call.ValueStrides.Length + c];
                if (float.IsFinite(v))
                    continue;
                for (int q = 0; q < width; q++)
                {
                    if (first + j < scratch.Limits[q])
                        scratch.Output[c * width + q] += scratch.Score[j * width + q] * v;
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
            Limits = (int*)Take(width);
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
        public readonly int* Limits;
        public readonly float* Key;
        public readonly float* Value;
    }
}
