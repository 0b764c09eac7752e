using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Products of up to four queries with rows of keys or values that are near the core: what is read of a row meets all of the queries. A query sums its terms in the
/// same order beside any number of others.
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
    /// <param name="query">The queries, one after the other.</param>
    /// <param name="queries">How many: 1 to 4.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="headDim">Elements of a key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="score">S, written.</param>
    /// <param name="stride">Scores from query to query.</param>
    /// <param name="ahead">How far from a row the row is that is asked for meanwhile, in bytes; 0 for none. A single query does not ask.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scores(float* query, int queries, BlockRows keys, int headDim, int count, float* score, long stride, nint ahead)
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
    /// <param name="output">O, the queries one after the other.</param>
    /// <param name="ahead">How far from a row the row is that is asked for meanwhile, in bytes; 0 for none. A single query does not ask for floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddValues(float* probability, long stride, int queries, BlockRows values, int valueDim, int count, float* output, nint ahead)
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

    /// <summary>O[c] += Σ_j P[j]·V[j][c] of one query, a value after the other: they are read in the order in which memory has them.</summary>
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
            Vector128<float> s = SumOfEach(Products(k0, query, whole), Products(k1, query, whole), Products(k2, query, whole), Products(k3, query, whole));
            for (int t = whole; t < headDim; t++)
                s += Vector128.Create(At(k0, t), At(k1, t), At(k2, t), At(k3, t)) * query[t];
            s.Store(score + j);
        }

        for (; j < count; j++, keys = keys.From(1))
            score[j] = Score(query, keys.First, whole, headDim);
    }

    /// <summary>The scores of some queries: what is read of a key meets all of them.</summary>
    /// <param name="query">The queries.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="score">Written.</param>
    /// <param name="stride">From query to query of the scores.</param>
    /// <param name="ahead">How far from a row the row is that is asked for meanwhile; 0 for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfSome<TQueries>(float* query, BlockRows keys, int headDim, int count, float* score, long stride, nint ahead)
        where TQueries : struct, IQueryCount
    {
        int j = 0;
        for (; j + 4 <= count; j += 4, keys = keys.From(4))
        {
            ScoresOfTwoKeys<TQueries>(query, keys, headDim, ahead, out Vector128<float> s0, out Vector128<float> s1);
            ScoresOfTwoKeys<TQueries>(query, keys.From(2), headDim, ahead, out Vector128<float> s2, out Vector128<float> s3);
            Transpose.InPlace(ref s0, ref s1, ref s2, ref s3);
            s0.Store(score + j);
            s1.Store(score + stride + j);
            if (TQueries.Count > 2)
                s2.Store(score + 2 * stride + j);
            if (TQueries.Count > 3)
                s3.Store(score + 3 * stride + j);
        }

        int whole = headDim / TVector.Count * TVector.Count;
        for (; j < count; j++, keys = keys.From(1))
        {
            for (int row = 0; row < TQueries.Count; row++)
                score[row * stride + j] = Score(query + (long)row * headDim, keys.First, whole, headDim);
        }
    }

    /// <summary>The scores of some queries and two keys: for each key a vector with a lane for each query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScoresOfTwoKeys<TQueries>(float* query, BlockRows keys, int headDim, nint ahead, out Vector128<float> first, out Vector128<float> second)
        where TQueries : struct, IQueryCount
    {
        byte* k = keys.First, l = keys.Row(1);
        float* q0 = query, q1 = q0 + headDim, q2 = TQueries.Count > 2 ? q1 + headDim : q1, q3 = TQueries.Count > 3 ? q2 + headDim : q2;
        TVector zero = TVector.Create(0), a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
        int t = 0, n = TVector.Count;
        for (; t + 2 * n <= headDim; t += 2 * n)
        {
            if (ahead != 0 && BeginsLine(t))
            {
                Ask(k, t, ahead);
                Ask(l, t, ahead);
            }

            TRow.LoadPair(k, t, out TVector x, out TVector x1);
            TRow.LoadPair(l, t, out TVector y, out TVector y1);
            Meet<TQueries>(x, y, q0 + t, q1 + t, q2 + t, q3 + t, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3);
            Meet<TQueries>(x1, y1, q0 + t + n, q1 + t + n, q2 + t + n, q3 + t + n, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3);
        }

        if (t + n <= headDim)
        {
            TVector x = TRow.Load<TVector>(k, t), y = TRow.Load<TVector>(l, t);
            Meet<TQueries>(x, y, q0 + t, q1 + t, q2 + t, q3 + t, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref b2, ref b3);
            t += n;
        }

        first = SumOfEach(a0, a1, a2, a3);
        second = SumOfEach(b0, b1, b2, b3);
        for (; t < headDim; t++)
        {
            Vector128<float> q = Vector128.Create(q0[t], q1[t], q2[t], q3[t]);
            first += q * At(k, t);
            second += q * At(l, t);
        }
    }

    /// <summary>Adds what vectors of two keys contribute to the scores of some queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Meet<TQueries>(
        TVector x, TVector y, float* q0, float* q1, float* q2, float* q3, ref TVector a0, ref TVector a1, ref TVector a2, ref TVector a3, ref TVector b0, ref TVector b1, ref TVector b2, ref TVector b3)
        where TQueries : struct, IQueryCount
    {
        TVector q = TVector.Load(ref *q0);
        a0 = TVector.MultiplyAdd(x, q, a0);
        b0 = TVector.MultiplyAdd(y, q, b0);
        q = TVector.Load(ref *q1);
        a1 = TVector.MultiplyAdd(x, q, a1);
        b1 = TVector.MultiplyAdd(y, q, b1);
        if (TQueries.Count > 2)
        {
            q = TVector.Load(ref *q2);
            a2 = TVector.MultiplyAdd(x, q, a2);
            b2 = TVector.MultiplyAdd(y, q, b2);
        }

        if (TQueries.Count > 3)
        {
            q = TVector.Load(ref *q3);
            a3 = TVector.MultiplyAdd(x, q, a3);
            b3 = TVector.MultiplyAdd(y, q, b3);
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] of some queries: what is read of a value meets all of them.</summary>
    /// <param name="probability">P.</param>
    /// <param name="stride">From query to query of P.</param>
    /// <param name="values">V.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys.</param>
    /// <param name="output">O.</param>
    /// <param name="ahead">How far from a row the row is that is asked for meanwhile; 0 for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddToSome<TQueries>(float* probability, long stride, BlockRows values, int valueDim, int count, float* output, nint ahead)
        where TQueries : struct, IQueryCount
    {
        float* p0 = probability, p1 = TQueries.Count > 1 ? p0 + stride : p0, p2 = TQueries.Count > 2 ? p1 + stride : p1, p3 = TQueries.Count > 3 ? p2 + stride : p2;
        float* o0 = output, o1 = TQueries.Count > 1 ? o0 + valueDim : o0, o2 = TQueries.Count > 2 ? o1 + valueDim : o1, o3 = TQueries.Count > 3 ? o2 + valueDim : o2;
        int c = 0, n = TVector.Count;
        for (; c + 2 * n <= valueDim; c += 2 * n)
        {
            TVector a0 = TVector.Load(ref o0[c]), a1 = TVector.Load(ref o1[c]), a2 = TVector.Load(ref o2[c]), a3 = TVector.Load(ref o3[c]);
            TVector b0 = TVector.Load(ref o0[c + n]), b1 = TVector.Load(ref o1[c + n]), b2 = TVector.Load(ref o2[c + n]), b3 = TVector.Load(ref o3[c + n]);
            byte* v = values.First;
            bool asks = ahead != 0 && BeginsLine(c);
            for (int j = 0; j < count; j++, v += values.Stride)
            {
                if (asks)
                    Ask(v, c, ahead);
                TRow.LoadPair(v, c, out TVector x, out TVector y);
                TVector p = TVector.Create(p0[j]);
                a0 = TVector.MultiplyAdd(p, x, a0);
                b0 = TVector.MultiplyAdd(p, y, b0);
                if (TQueries.Count > 1)
                {
                    p = TVector.Create(p1[j]);
                    a1 = TVector.MultiplyAdd(p, x, a1);
                    b1 = TVector.MultiplyAdd(p, y, b1);
                }

                if (TQueries.Count > 2)
                {
                    p = TVector.Create(p2[j]);
                    a2 = TVector.MultiplyAdd(p, x, a2);
                    b2 = TVector.MultiplyAdd(p, y, b2);
                }

                if (TQueries.Count > 3)
                {
                    p = TVector.Create(p3[j]);
                    a3 = TVector.MultiplyAdd(p, x, a3);
                    b3 = TVector.MultiplyAdd(p, y, b3);
                }
            }

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
                Add(probability[row * stride + j], values.Row(j), c, valueDim, output + (long)row * valueDim);
        }
    }

    /// <summary>An element of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float At(byte* row, int column)
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

    /// <summary>The sum of each vector's lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> SumOfEach(TVector a, TVector b, TVector c, TVector d)
    {
        Vector128<float> s0 = TVector.FoldToFour(a), s1 = TVector.FoldToFour(b), s2 = TVector.FoldToFour(c), s3 = TVector.FoldToFour(d);
        Transpose.InPlace(ref s0, ref s1, ref s2, ref s3);
        return (s0 + s1) + (s2 + s3);
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

    /// <summary>O[c] += p·V[c] from a column on, the begin of a group.</summary>
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
    /// Whether a pair of vectors is the first that has a part of its line, if rows begin with lines. Of a group only its begin counts, so that short vectors ask for some lines
    /// twice and for others never: to find the byte of each pair costs 15 to 20% of the time (groups, 4 query heads, AVX2 on Zen 4).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool BeginsLine(int column) => PairBytes >= LineBytes || TRow.Offset(column) % LineBytes < PairBytes;

    /// <summary>Asks for the lines of a pair of vectors of another row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte* row, int column, nint ahead)
    {
        byte* line = row + TRow.Offset(column) + ahead;
        Prefetcher.AskForLine(ref *(float*)line);
        if (PairBytes > LineBytes)
            Prefetcher.AskForLine(ref *(float*)(line + LineBytes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sum(TVector a)
    {
        Vector128<float> four = TVector.FoldToFour(a);
        return (four[0] + four[1]) + (four[2] + four[3]);
    }

    /// <summary>How many queries a register tile has: the compiler drops what is for more.</summary>
    private interface IQueryCount
    {
        static abstract int Count { get; }
    }

    private readonly struct One : IQueryCount
    {
        public static int Count => 1;
    }

    private readonly struct Two : IQueryCount
    {
        public static int Count => 2;
    }

    private readonly struct Three : IQueryCount
    {
        public static int Count => 3;
    }

    private readonly struct Four : IQueryCount
    {
        public static int Count => 4;
    }
}
