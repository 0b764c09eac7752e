using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of few queries, as in decoding: with a lane for each query most lanes would idle, so here the lanes are the
/// head dimension. Keys and values stream through once for up to 64 queries of a group of heads; the limit is memory bandwidth, and
/// plain code comes near it.
/// </summary>
/// <remarks>
/// The first query reads key by key and value by value, as they lie in memory, and so does the CPU's prefetcher ahead of it. The other
/// queries find them in the cache and take four side by side, which needs fewer loads. Four rows of memory side by side come at a third
/// of the bandwidth, at two thirds when asked for ahead (Zen 4).
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class DecodeTile<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>
    /// Keys of a block whose weights, and products with values, are summed before they are added to those of the block: rounding errors
    /// grow with the length of a sum, most where its terms have one sign. Parts of 128 take 4% more time where a group of heads, or some
    /// queries, share the keys; these take 1% (Zen 4).
    /// </summary>
    private const int KeysPerSum = 384;

    /// <summary>
    /// Whether a sequence of so many queries has few: at most half a vector's lanes, up to where this was measured to be faster. The heads
    /// of a group do not count, so that grouped heads give the same bits as repeated ones.
    /// </summary>
    public static bool Suits(int queryLength) => queryLength <= TVector.Count / 2;

    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t].</summary>
    /// <param name="query">Scaled queries: <paramref name="rows"/> × <paramref name="headDim"/>.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="key">First key of the block.</param>
    /// <param name="keyStride">From key to key.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="score">S, written: <paramref name="rows"/> × <paramref name="count"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores(float* query, int rows, float* key, long keyStride, int headDim, int count, float* score)
    {
        int whole = headDim / TVector.Count * TVector.Count;
        int j = 0;
        for (; j + 4 <= count; j += 4, key += 4 * keyStride)
        {
            float* k1 = key + keyStride, k2 = k1 + keyStride, k3 = k2 + keyStride;
            float* q = query;
            for (int row = 0; row < rows; row++, q += headDim)
            {
                TVector a0, a1, a2, a3;
                if (row == 0)
                {
                    a0 = Products(key, q, whole);
                    a1 = Products(k1, q, whole);
                    a2 = Products(k2, q, whole);
                    a3 = Products(k3, q, whole);
                }
                else
                {
                    a0 = a1 = a2 = a3 = TVector.Create(0);
                    for (int t = 0; t < whole; t += TVector.Count)
                    {
                        TVector b = TVector.Load(ref q[t]);
                        a0 = TVector.MultiplyAdd(TVector.Load(ref key[t]), b, a0);
                        a1 = TVector.MultiplyAdd(TVector.Load(ref k1[t]), b, a1);
                        a2 = TVector.MultiplyAdd(TVector.Load(ref k2[t]), b, a2);
                        a3 = TVector.MultiplyAdd(TVector.Load(ref k3[t]), b, a3);
                    }
                }

                Vector128<float> s0 = TVector.FoldToFour(a0), s1 = TVector.FoldToFour(a1), s2 = TVector.FoldToFour(a2), s3 = TVector.FoldToFour(a3);
                Transpose.InPlace(ref s0, ref s1, ref s2, ref s3);
                Vector128<float> s = (s0 + s1) + (s2 + s3);
                for (int t = whole; t < headDim; t++)
                    s += Vector128.Create(key[t], k1[t], k2[t], k3[t]) * q[t];
                s.Store(score + (long)row * count + j);
            }
        }

        for (; j < count; j++, key += keyStride)
        {
            float* q = query;
            for (int row = 0; row < rows; row++, q += headDim)
            {
                float s = Sum(Products(key, q, whole));
                for (int t = whole; t < headDim; t++)
                    s += key[t] * q[t];
                score[(long)row * count + j] = s;
            }
        }
    }

    /// <summary>The softmax step of one query (<see cref="OnlineSoftmax"/>): p[j] = e^(s[j] − m') in place; returns alpha.</summary>
    /// <param name="score">Scores of the keys that the query sees. A vector after them may be read.</param>
    /// <param name="count">How many.</param>
    /// <param name="max">The running maximum.</param>
    /// <param name="sum">The sum of these p.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Step(float* score, int count, ref float max, out float sum)
    {
        // The last keys, of which there may be fewer than lanes: the lanes after them are hidden.
        int whole = count / TVector.Count * TVector.Count, left = count - whole;
        TVector last = TVector.SelectGreaterOrEqual(
            LaneNumbers<TVector>.Load(), TVector.Create(left), TVector.Create(float.NegativeInfinity), TVector.Load(ref score[whole]));

        // A NaN may be lost here, but it comes back as its own weight.
        TVector most = TVector.Max(TVector.Create(max), last);
        for (int j = 0; j < whole; j += TVector.Count)
            most = TVector.Max(most, TVector.Load(ref score[j]));
        float* lanes = stackalloc float[TVector.Count];
        most.Store(ref *lanes);
        float newMax = *lanes;
        for (int i = 1; i < TVector.Count; i++)
            newMax = newMax > lanes[i] ? newMax : lanes[i];

        VectorMath.ExpConstants<TVector> constants = new();
        TVector m = TVector.Create(newMax), total = TVector.Create(0);
        for (int j = 0; j < whole;)
        {
            TVector part = TVector.Create(0);
            for (int end = Math.Min(j + KeysPerSum, whole); j < end; j += TVector.Count)
            {
                TVector p = VectorMath.Exp(TVector.Load(ref score[j]) - m, constants);
                p.Store(ref score[j]);
                part += p;
            }

            total += part;
        }

        last = VectorMath.Exp(last - m, constants);
        last.Store(ref *lanes);
        for (int i = 0; i < left; i++)
            score[whole + i] = lanes[i];

        float alpha = Exp(max - newMax);
        sum = Sum(total + last);
        max = newMax;
        return alpha;
    }

    /// <summary>Turns a whole row of scores into weights, in place: e^(s[j] − m) / Σ_j e^(s[j] − m), zeros where all are −∞.</summary>
    /// <param name="score">The row.</param>
    /// <param name="count">Its length.</param>
    /// <param name="sink">One more score, which has no weight; −∞ for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(float* score, int count, float sink)
    {
        int whole = count / TVector.Count * TVector.Count;
        float max = MathF.Max(sink, OnlineSoftmax.NoMax);
        for (int j = whole; j < count; j++)
            max = MathF.Max(max, score[j]);
        TVector most = TVector.Create(max);
        for (int j = 0; j < whole; j += TVector.Count)
            most = TVector.Max(most, TVector.Load(ref score[j]));
        float* lanes = stackalloc float[TVector.Count];
        most.Store(ref *lanes);
        for (int i = 0; i < TVector.Count; i++)
            max = MathF.Max(max, lanes[i]);

        double sum = Exp(sink - max) + Weigh<TVector>(score, 0, whole, max) + Weigh<Lanes1>(score, whole, count, max);
        Scale(score, sum == 0 ? 0 : (float)(1 / sum), score, count);
    }

    /// <summary>p[j] = e^(s[j] − m) in place; returns their sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Weigh<T>(float* score, int from, int to, float max)
        where T : struct, ILanes<T>
    {
        VectorMath.ExpConstants<T> constants = new();
        double sum = 0;
        T m = T.Create(max);
        for (int j = from; j < to;)
        {
            T part = T.Create(0);
            for (int end = Math.Min(j + KeysPerSum, to); j < end; j += T.Count)
            {
                T p = VectorMath.Exp(T.Load(ref score[j]) - m, constants);
                p.Store(ref score[j]);
                part += p;
            }

            sum += Vector128.Sum(T.FoldToFour(part));
        }

        return sum;
    }

    /// <summary>B[q][c] = Σ_j P[q][j]·V[j][c] over the keys of a block that each query sees.</summary>
    /// <param name="probability">P: <paramref name="rows"/> × <paramref name="count"/>.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="start">For each query the first key of the block that it sees.</param>
    /// <param name="limit">For each query the first key after those that it sees.</param>
    /// <param name="value">First value of the block.</param>
    /// <param name="valueStride">From value to value.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="blockSum">B, written: <paramref name="rows"/> × <paramref name="valueDim"/>.</param>
    /// <param name="partSum">As much memory for the sum of a part.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(
        float* probability, int rows, int* start, int* limit, float* value, long valueStride, int valueDim, int count, float* blockSum, float* partSum)
    {
        int sums = rows * valueDim;
        Clear(blockSum, sums);
        if (count > KeysPerSum)
            Clear(partSum, sums);
        for (int first = 0; first < count; first += KeysPerSum)
        {
            int end = Math.Min(first + KeysPerSum, count);
            AddValues(probability, rows, start, limit, value + first * valueStride, valueStride, valueDim, first, end, count, first == 0 ? blockSum : partSum);
            if (first > 0)
                Move(partSum, blockSum, sums);
        }
    }

    /// <summary>x[i] = 0. The runtime's own method calls the system for a kilobyte, which costs a short call some per cent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Clear(float* x, int count)
    {
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            TVector.Create(0).Store(ref x[i]);
        for (; i < count; i++)
            x[i] = 0;
    }

    /// <summary>y[i] += x[i]; x[i] = 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Move(float* x, float* y, int count)
    {
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
        {
            (TVector.Load(ref y[i]) + TVector.Load(ref x[i])).Store(ref y[i]);
            TVector.Create(0).Store(ref x[i]);
        }

        for (; i < count; i++)
        {
            y[i] += x[i];
            x[i] = 0;
        }
    }

    /// <summary>O[i] = factor·O[i] + B[i], with what that rounds off (<see cref="OnlineSoftmax.Add"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddBlock(float* output, float factor, float* rest, float* blockSum, int count)
    {
        int whole = count / TVector.Count * TVector.Count;
        for (int i = 0; i < whole; i += TVector.Count)
            OnlineSoftmax.Add(ref output[i], TVector.Create(factor), ref rest[i], TVector.Load(ref blockSum[i]));
        for (int i = whole; i < count; i++)
            OnlineSoftmax.Add(ref output[i], Lanes1.Create(factor), ref rest[i], Lanes1.Load(ref blockSum[i]));
    }

    /// <summary>O[i] += rest[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddRest(float* output, float* rest, int count)
    {
        int whole = count / TVector.Count * TVector.Count;
        for (int i = 0; i < whole; i += TVector.Count)
            OnlineSoftmax.WithRest<TVector>(ref output[i], ref rest[i]).Store(ref output[i]);
        for (int i = whole; i < count; i++)
            OnlineSoftmax.WithRest<Lanes1>(ref output[i], ref rest[i]).Store(ref output[i]);
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] over the keys from <paramref name="first"/> to <paramref name="end"/> that each query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddValues(
        float* probability, int rows, int* start, int* limit, float* value, long valueStride, int valueDim, int first, int end, int count, float* output)
    {
        int whole = valueDim / TVector.Count * TVector.Count;
        for (int j = first; j < end; j += 4, value += 4 * valueStride)
        {
            float* v1 = value + valueStride, v2 = v1 + valueStride, v3 = v2 + valueStride;
            float* o = output;
            float* p = probability + j;
            for (int row = 0; row < rows; row++, o += valueDim, p += count)
            {
                if (row == 0 || j < start[row] || j + 4 > limit[row])
                {
                    for (int i = Math.Max(j, start[row]); i < Math.Min(j + 4, limit[row]); i++)
                        Add(p[i - j], value + (i - j) * valueStride, valueDim, o);
                    continue;
                }

                TVector p0 = TVector.Create(p[0]), p1 = TVector.Create(p[1]), p2 = TVector.Create(p[2]), p3 = TVector.Create(p[3]);
                for (int c = 0; c < whole; c += TVector.Count)
                {
                    TVector sum = TVector.MultiplyAdd(p0, TVector.Load(ref value[c]), TVector.Load(ref o[c]));
                    sum = TVector.MultiplyAdd(p1, TVector.Load(ref v1[c]), sum);
                    sum = TVector.MultiplyAdd(p2, TVector.Load(ref v2[c]), sum);
                    sum = TVector.MultiplyAdd(p3, TVector.Load(ref v3[c]), sum);
                    sum.Store(ref o[c]);
                }

                for (int c = whole; c < valueDim; c++)
                    o[c] = o[c] + p[0] * value[c] + p[1] * v1[c] + p[2] * v2[c] + p[3] * v3[c];
            }
        }
    }

    /// <summary>y[i] = factor·x[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* x, float factor, float* y, int count)
    {
        TVector f = TVector.Create(factor);
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            (TVector.Load(ref x[i]) * f).Store(ref y[i]);
        for (; i < count; i++)
            y[i] = x[i] * factor;
    }

    /// <summary>The products K[t]·Q[t], added up lane by lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Products(float* key, float* query, int count)
    {
        TVector sum = TVector.Create(0);
        for (int t = 0; t < count; t += TVector.Count)
            sum = TVector.MultiplyAdd(TVector.Load(ref key[t]), TVector.Load(ref query[t]), sum);
        return sum;
    }

    /// <summary>O[c] += p·V[c].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(float probability, float* value, int valueDim, float* output)
    {
        TVector p = TVector.Create(probability);
        int c = 0;
        for (; c + TVector.Count <= valueDim; c += TVector.Count)
            TVector.MultiplyAdd(p, TVector.Load(ref value[c]), TVector.Load(ref output[c])).Store(ref output[c]);
        for (; c < valueDim; c++)
            output[c] += probability * value[c];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sum(TVector a)
    {
        Vector128<float> four = TVector.FoldToFour(a);
        return (four[0] + four[1]) + (four[2] + four[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Exp(float x)
    {
        float result = 0;
        VectorMath.Exp(new Lanes1(x), new VectorMath.ExpConstants<Lanes1>()).Store(ref result);
        return result;
    }
}
