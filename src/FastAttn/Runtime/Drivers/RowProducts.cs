using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace FastAttn.Runtime;

/// <summary>
/// Products of up to four queries with rows of keys or values in the core's caches: what is read of a row is used for all of the queries. A query sums its terms in the
/// same order with any number of others.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TRow">How a row becomes floats.</typeparam>
internal static unsafe class RowProducts<TVector, TRow>
    where TVector : struct, ILanes<TVector>
    where TRow : struct, IStoredRow
{
    private const int LineBytes = Prefetcher.LineFloats * sizeof(float);

    /// <summary>Bytes of a pair of vectors.</summary>
    private static nint PairBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TRow.Offset(Columns) * (2 * TVector.Count) / Columns;
    }

    /// <summary>Columns that are whole groups and whole pairs.</summary>
    private static int Columns => AttentionInput.GroupLength;

    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t].</summary>
    /// <param name="query">The queries, contiguous.</param>
    /// <param name="queries">How many: 1 to 4.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="headDim">Elements of a key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="score">S, written.</param>
    /// <param name="stride">Scores from query to query.</param>
    /// <param name="ahead">What is prefetched meanwhile. A single query does not prefetch.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scores(float* query, int queries, BlockRows keys, int headDim, int count, float* score, long stride, in RowsAhead ahead)
    {
        switch (queries)
        {
            case 1:
                ScoresOfOne(query, keys, headDim, count, score);
                break;
            case 2:
                ScoresOfSome<Two>(query, keys, headDim, count, score, stride, ahead);
                break;
            case 3:
                ScoresOfSome<Three>(query, keys, headDim, count, score, stride, ahead);
                break;
            default:
                ScoresOfSome<Four>(query, keys, headDim, count, score, stride, ahead);
                break;
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c].</summary>
    /// <param name="probability">P.</param>
    /// <param name="stride">Probabilities from query to query.</param>
    /// <param name="queries">How many queries: 1 to 4.</param>
    /// <param name="values">V.</param>
    /// <param name="valueDim">Elements of a value.</param>
    /// <param name="count">Values.</param>
    /// <param name="output">O, the queries contiguous.</param>
    /// <param name="ahead">What is prefetched meanwhile. A single query does not prefetch floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddValues(float* probability, long stride, int queries, BlockRows values, int valueDim, int count, float* output, in RowsAhead ahead)
    {
        switch (queries)
        {
            case 1 when TRow.Offset(Columns) == Columns * sizeof(float):
                AddSomeValues(probability, values, 0, count, valueDim, output);
                break;
            case 1:
                AddToSome<One>(probability, stride, values, valueDim, count, output, ahead);
                break;
            case 2:
                AddToSome<Two>(probability, stride, values, valueDim, count, output, ahead);
                break;
            case 3:
                AddToSome<Three>(probability, stride, values, valueDim, count, output, ahead);
                break;
            default:
                AddToSome<Four>(probability, stride, values, valueDim, count, output, ahead);
                break;
        }
    }

    /// <summary>O[c] += Σ_j P[j]·V[j][c] for one query, one value after the other: they are read in memory order.</summary>
    /// <param name="probability">P.</param>
    /// <param name="values">V.</param>
    /// <param name="start">The first value.</param>
    /// <param name="end">The first after the last.</param>
    /// <param name="valueDim">Elements of a value.</param>
    /// <param name="output">O.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddSomeValues(float* probability, BlockRows values, int start, int end, int valueDim, float* output)
    {
        for (int j = start; j < end; j++)
            Add(probability[j], values.Row(j), 0, valueDim, output);
    }

    /// <summary>The scores of one query, four keys at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfOne(float* query, BlockRows keys, int headDim, int count, float* score)
    {
        int whole = headDim / TVector.Count * TVector.Count, j = 0;
        for (; j + 4 <= count; j += 4, keys = keys.From(4))
        {
            byte* k0 = keys.First, k1 = keys.Row(1), k2 = keys.Row(2), k3 = keys.Row(3);
            Vector128<float> s = TVector.SumOfEach(Products(k0, query, whole), Products(k1, query, whole), Products(k2, query, whole), Products(k3, query, whole));
            for (int t = whole; t < headDim; t++)
                s += Vector128.Create(At(k0, t), At(k1, t), At(k2, t), At(k3, t)) * query[t];
            s.Store(score + j);
        }

        for (; j < count; j++, keys = keys.From(1))
            score[j] = Score(query, keys.First, whole, headDim);
    }

    /// <summary>The scores of several queries: what is read of some keys is used for all of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScoresOfSome<TQueries>(float* query, BlockRows keys, int headDim, int count, float* score, long stride, in RowsAhead ahead)
        where TQueries : struct, ICount
    {
        // At least eight sums are in flight. On AVX-512 and NEON, 32 registers hold 16 sums.
        if (TQueries.Count == 2 || TVector.Count == Lanes16.Count || AdvSimd.Arm64.IsSupported)
            ScoresOfSome<TQueries, Four>(query, keys, headDim, count, score, stride, ahead);
        else
            ScoresOfSome<TQueries, Two>(query, keys, headDim, count, score, stride, ahead);
    }

    /// <summary>The scores of 2 to 4 queries, 2 or 4 keys at a time. The sum a2 is that of the first key and the third query.</summary>
    /// <remarks>
    /// With four keys a scale of a group is spilled to the stack now and then (AVX-512). Two keys at a time cost groups of 4 bits 18 to 39%, and multiplying two keys after the other two 12 to 80% (Zen 4).
    /// </remarks>
    /// <param name="query">The queries.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="headDim">Elements of a key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="score">Written.</param>
    /// <param name="stride">From query to query of the scores.</param>
    /// <param name="ahead">What is prefetched meanwhile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfSome<TQueries, TKeys>(float* query, BlockRows keys, int headDim, int count, float* score, long stride, in RowsAhead ahead)
        where TQueries : struct, ICount
        where TKeys : struct, ICount
    {
        int j = 0;
        (int askFirst, int askLimit) = ahead.PartOf(count);
        float* q0 = query, q1 = q0 + headDim, q2 = TQueries.Count > 2 ? q1 + headDim : q1, q3 = TQueries.Count > 3 ? q2 + headDim : q2;
        for (; j + TKeys.Count <= count; j += TKeys.Count, keys = keys.From(TKeys.Count))
        {
            byte* k0 = keys.First, k1 = keys.Row(1), k2 = TKeys.Count > 2 ? keys.Row(2) : k0, k3 = TKeys.Count > 2 ? keys.Row(3) : k1;
            TVector zero = TVector.Create(0), a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
            TVector c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
            nint asked = j >= askFirst && j < askLimit ? ahead.Distance : 0, t = 0, n = TVector.Count;
            for (; t + 2 * n <= headDim; t += 2 * n)
            {
                if (asked != 0 && BeginsLine(t))
                {
                    Ask(k0, t, asked);
                    Ask(k1, t, asked);
                    if (TKeys.Count > 2)
                    {
                        Ask(k2, t, asked);
                        Ask(k3, t, asked);
                    }
                }

                TRow.LoadPair(k0, t, out TVector x0, out TVector y0);
                TRow.LoadPair(k1, t, out TVector x1, out TVector y1);
                TVector x2 = x0, y2 = y0, x3 = x1, y3 = y1;
                if (TKeys.Count > 2)
                {
                    TRow.LoadPair(k2, t, out x2, out y2);
                    TRow.LoadPair(k3, t, out x3, out y3);
                }

                Meet<TQueries, TKeys>(x0, x1, x2, x3, q0 + t, q1 + t, q2 + t, q3 + t, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3, ref c0, ref c1, ref c2, ref c3, ref d0, ref d1, ref d2, ref d3);
                Meet<TQueries, TKeys>(
                    y0, y1, y2, y3, q0 + t + n, q1 + t + n, q2 + t + n, q3 + t + n, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3, ref c0, ref c1, ref c2, ref c3, ref d0, ref d1, ref d2, ref d3);
            }

            if (t + n <= headDim)
            {
                TVector x0 = TRow.Load<TVector>(k0, t), x1 = TRow.Load<TVector>(k1, t), x2 = x0, x3 = x1;
                if (TKeys.Count > 2)
                {
                    x2 = TRow.Load<TVector>(k2, t);
                    x3 = TRow.Load<TVector>(k3, t);
                }

                Meet<TQueries, TKeys>(x0, x1, x2, x3, q0 + t, q1 + t, q2 + t, q3 + t, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3, ref c0, ref c1, ref c2, ref c3, ref d0, ref d1, ref d2, ref d3);
                t += n;
            }

            // With four keys a vector has the scores of one query, with two keys those of two queries.
            float* s0 = score + j, s1 = s0 + stride, s2 = TQueries.Count > 2 ? s1 + stride : s1, s3 = TQueries.Count > 3 ? s2 + stride : s2;
            if (TKeys.Count > 2)
            {
                Vector128<float> sums0 = TVector.SumOfEach(a0, b0, c0, d0), sums1 = TVector.SumOfEach(a1, b1, c1, d1);
                Vector128<float> sums2 = TQueries.Count > 2 ? TVector.SumOfEach(a2, b2, c2, d2) : sums0, sums3 = TQueries.Count > 3 ? TVector.SumOfEach(a3, b3, c3, d3) : sums1;
                for (; t < headDim; t++)
                {
                    Vector128<float> k = Vector128.Create(At(k0, t), At(k1, t), At(k2, t), At(k3, t));
                    sums0 += k * q0[t];
                    sums1 += k * q1[t];
                    sums2 += k * q2[t];
                    sums3 += k * q3[t];
                }

                sums0.Store(s0);
                sums1.Store(s1);
                if (TQueries.Count > 2)
                    sums2.Store(s2);
                if (TQueries.Count > 3)
                    sums3.Store(s3);
            }
            else
            {
                Vector128<float> sums0 = TVector.SumOfEach(a0, b0, a1, b1), sums2 = TQueries.Count > 2 ? TVector.SumOfEach(a2, b2, a3, b3) : sums0;
                for (; t < headDim; t++)
                {
                    Vector128<float> k = Vector128.Create(At(k0, t), At(k1, t), At(k0, t), At(k1, t));
                    sums0 += k * Vector128.Create(q0[t], q0[t], q1[t], q1[t]);
                    sums2 += k * Vector128.Create(q2[t], q2[t], q3[t], q3[t]);
                }

                sums0.GetLower().Store(s0);
                sums0.GetUpper().Store(s1);
                if (TQueries.Count > 2)
                    sums2.GetLower().Store(s2);
                if (TQueries.Count > 3)
                    sums2.GetUpper().Store(s3);
            }
        }

        int whole = headDim / TVector.Count * TVector.Count;
        for (; j < count; j++, keys = keys.From(1))
        {
            for (int row = 0; row < TQueries.Count; row++)
                score[row * stride + j] = Score(query + (long)row * headDim, keys.First, whole, headDim);
        }
    }

    /// <summary>Adds what vectors of some keys contribute to the scores of some queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Meet<TQueries, TKeys>(
        TVector x0, TVector x1, TVector x2, TVector x3, float* q0, float* q1, float* q2, float* q3,
        ref TVector a0, ref TVector a1, ref TVector a2, ref TVector a3, ref TVector b0, ref TVector b1, ref TVector b2, ref TVector b3,
        ref TVector c0, ref TVector c1, ref TVector c2, ref TVector c3, ref TVector d0, ref TVector d1, ref TVector d2, ref TVector d3)
        where TQueries : struct, ICount
        where TKeys : struct, ICount
    {
        Meet<TKeys>(x0, x1, x2, x3, q0, ref a0, ref b0, ref c0, ref d0);
        Meet<TKeys>(x0, x1, x2, x3, q1, ref a1, ref b1, ref c1, ref d1);
        if (TQueries.Count > 2)
            Meet<TKeys>(x0, x1, x2, x3, q2, ref a2, ref b2, ref c2, ref d2);
        if (TQueries.Count > 3)
            Meet<TKeys>(x0, x1, x2, x3, q3, ref a3, ref b3, ref c3, ref d3);
    }

    /// <summary>Adds what vectors of some keys contribute to the scores of a query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Meet<TKeys>(TVector x0, TVector x1, TVector x2, TVector x3, float* query, ref TVector a, ref TVector b, ref TVector c, ref TVector d)
        where TKeys : struct, ICount
    {
        TVector q = TVector.Load(ref *query);
        a = TVector.MultiplyAdd(x0, q, a);
        b = TVector.MultiplyAdd(x1, q, b);
        if (TKeys.Count > 2)
        {
            c = TVector.MultiplyAdd(x2, q, c);
            d = TVector.MultiplyAdd(x3, q, d);
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] for several queries: what is read of a value is used for all of them.</summary>
    /// <param name="probability">P.</param>
    /// <param name="stride">From query to query of P.</param>
    /// <param name="values">V.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys.</param>
    /// <param name="output">O.</param>
    /// <param name="ahead">What is prefetched meanwhile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddToSome<TQueries>(float* probability, long stride, BlockRows values, int valueDim, int count, float* output, in RowsAhead ahead)
        where TQueries : struct, ICount
    {
        float* p0 = probability, p1 = TQueries.Count > 1 ? p0 + stride : p0, p2 = TQueries.Count > 2 ? p1 + stride : p1, p3 = TQueries.Count > 3 ? p2 + stride : p2;
        float* o0 = output, o1 = TQueries.Count > 1 ? o0 + valueDim : o0, o2 = TQueries.Count > 2 ? o1 + valueDim : o1, o3 = TQueries.Count > 3 ? o2 + valueDim : o2;
        (int askFirst, int askLimit) = ahead.PartOf(valueDim);
        nint c = 0, n = TVector.Count;
        for (; c + 2 * n <= valueDim; c += 2 * n)
        {
            TVector a0 = TVector.Load(ref o0[c]), a1 = TVector.Load(ref o1[c]), a2 = TVector.Load(ref o2[c]), a3 = TVector.Load(ref o3[c]);
            TVector b0 = TVector.Load(ref o0[c + n]), b1 = TVector.Load(ref o1[c + n]), b2 = TVector.Load(ref o2[c + n]), b3 = TVector.Load(ref o3[c + n]);
            byte* v = values.First;
            nint asked = c >= askFirst && c < askLimit && BeginsLine(c) ? ahead.Distance : 0, j = 0;
            for (; j + 2 <= count; j += 2, v += 2 * values.Stride)
            {
                AddPair<TQueries>(v, c, asked, p0 + j, p1 + j, p2 + j, p3 + j, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3);
                AddPair<TQueries>(v + values.Stride, c, asked, p0 + j + 1, p1 + j + 1, p2 + j + 1, p3 + j + 1, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3);
            }

            if (j < count)
                AddPair<TQueries>(v, c, asked, p0 + j, p1 + j, p2 + j, p3 + j, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3);

            a0.Store(ref o0[c]);
            b0.Store(ref o0[c + n]);
            if (TQueries.Count > 1)
            {
                a1.Store(ref o1[c]);
                b1.Store(ref o1[c + n]);
            }

            if (TQueries.Count > 2)
            {
                a2.Store(ref o2[c]);
                b2.Store(ref o2[c + n]);
            }

            if (TQueries.Count > 3)
            {
                a3.Store(ref o3[c]);
                b3.Store(ref o3[c + n]);
            }
        }

        for (int row = 0; c < valueDim && row < TQueries.Count; row++)
        {
            for (int j = 0; j < count; j++)
                Add(probability[row * stride + j], values.Row(j), (int)c, valueDim, output + (long)row * valueDim);
        }
    }

    /// <summary>Adds what two vectors of a value contribute to the outputs of some queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair<TQueries>(
        byte* value, nint column, nint ahead, float* p0, float* p1, float* p2, float* p3,
        ref TVector a0, ref TVector a1, ref TVector a2, ref TVector a3, ref TVector b0, ref TVector b1, ref TVector b2, ref TVector b3)
        where TQueries : struct, ICount
    {
        if (ahead != 0)
            Ask(value, column, ahead);
        TRow.LoadPair(value, column, out TVector x, out TVector y);
        TVector p = TVector.Create(*p0);
        a0 = TVector.MultiplyAdd(p, x, a0);
        b0 = TVector.MultiplyAdd(p, y, b0);
        if (TQueries.Count > 1)
        {
            p = TVector.Create(*p1);
            a1 = TVector.MultiplyAdd(p, x, a1);
            b1 = TVector.MultiplyAdd(p, y, b1);
        }

        if (TQueries.Count > 2)
        {
            p = TVector.Create(*p2);
            a2 = TVector.MultiplyAdd(p, x, a2);
            b2 = TVector.MultiplyAdd(p, y, b2);
        }

        if (TQueries.Count > 3)
        {
            p = TVector.Create(*p3);
            a3 = TVector.MultiplyAdd(p, x, a3);
            b3 = TVector.MultiplyAdd(p, y, b3);
        }
    }

    /// <summary>An element of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float At(byte* row, nint column)
    {
        float element = 0;
        TRow.Load<Lanes1>(row, column).Store(ref element);
        return element;
    }

    /// <summary>The score of one query and one key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Score(float* query, byte* key, int whole, int headDim)
    {
        float s = Sum(Products(key, query, whole));
        for (int t = whole; t < headDim; t++)
            s += At(key, t) * query[t];
        return s;
    }

    /// <summary>The products K[t]·Q[t], added up lane by lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Products(byte* key, float* query, int count)
    {
        TVector sum = TVector.Create(0);
        int t = 0, n = TVector.Count;
        for (; t + 2 * n <= count; t += 2 * n)
        {
            TRow.LoadPair(key, t, out TVector x, out TVector y);
            sum = TVector.MultiplyAdd(x, TVector.Load(ref query[t]), sum);
            sum = TVector.MultiplyAdd(y, TVector.Load(ref query[t + n]), sum);
        }

        return t < count ? TVector.MultiplyAdd(TRow.Load<TVector>(key, t), TVector.Load(ref query[t]), sum) : sum;
    }

    /// <summary>O[c] += p·V[c] from a column on, the beginning of a group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(float probability, byte* value, int column, int valueDim, float* output)
    {
        TVector p = TVector.Create(probability);
        int c = column, n = TVector.Count;
        for (; c + 2 * n <= valueDim; c += 2 * n)
        {
            TRow.LoadPair(value, c, out TVector x, out TVector y);
            TVector.MultiplyAdd(p, x, TVector.Load(ref output[c])).Store(ref output[c]);
            TVector.MultiplyAdd(p, y, TVector.Load(ref output[c + n])).Store(ref output[c + n]);
        }

        if (c + n <= valueDim)
        {
            TVector.MultiplyAdd(p, TRow.Load<TVector>(value, c), TVector.Load(ref output[c])).Store(ref output[c]);
            c += n;
        }

        for (; c < valueDim; c++)
            output[c] += probability * At(value, c);
    }

    /// <summary>
    /// Whether a pair of vectors is the first in its cache line, if rows begin with lines. For a group only its beginning counts, so that short vectors prefetch some lines
    /// twice and others never: finding the byte of each pair costs 15 to 20% of the time (groups, 4 query heads, AVX2 on Zen 4).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool BeginsLine(nint column) => PairBytes >= LineBytes || TRow.Offset(column) % LineBytes < PairBytes;

    /// <summary>Prefetches the lines of a pair of vectors of another row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte* row, nint column, nint ahead)
    {
        byte* line = row + TRow.Offset(column) + ahead;
        Prefetcher.AskForLine(ref *(float*)line);
        if (PairBytes > LineBytes)
            Prefetcher.AskForLine(ref *(float*)(line + LineBytes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sum(TVector a) => TVector.SumOfEach(a, a, a, a)[0];

    /// <summary>How many queries or keys a register tile has: the compiler drops the code for more.</summary>
    private interface ICount
    {
        static abstract int Count { get; }
    }

    private readonly struct One : ICount
    {
        public static int Count => 1;
    }

    private readonly struct Two : ICount
    {
        public static int Count => 2;
    }

    private readonly struct Three : ICount
    {
        public static int Count => 3;
    }

    private readonly struct Four : ICount
    {
        public static int Count => 4;
    }
}
