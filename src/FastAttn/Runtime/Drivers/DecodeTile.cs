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
    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t].</summary>
    /// <param name="query">Scaled queries: <paramref name="rows"/> × <paramref name="headDim"/>.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="keys">The keys of the block.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="score">S, written: <paramref name="rows"/> × <paramref name="count"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores(float* query, int rows, BlockRows keys, int headDim, int count, float* score)
    {
        int whole = headDim / TVector.Count * TVector.Count;
        int j = 0;
        for (; j + 4 <= count; j += 4, keys = keys.From(4))
        {
            float* key = keys.First, k1 = keys.Row(1), k2 = keys.Row(2), k3 = keys.Row(3);
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

        for (; j < count; j++, keys = keys.From(1))
        {
            float* key = keys.First;
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

    /// <summary>B[q][c] = Σ_j P[q][j]·V[j][c] over the keys of a block that each query sees.</summary>
    /// <param name="probability">P: <paramref name="rows"/> × <paramref name="count"/>.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="start">For each query the first key of the block that it sees.</param>
    /// <param name="limit">For each query the first key after those that it sees.</param>
    /// <param name="values">The values of the block.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="blockSum">B, written: <paramref name="rows"/> × <paramref name="valueDim"/>.</param>
    /// <param name="partSum">As much memory for the sum of a part.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(
        float* probability, int rows, int* start, int* limit, BlockRows values, int valueDim, int count, float* blockSum, float* partSum)
    {
        int sums = rows * valueDim;
        LongSum<TVector>.Clear(blockSum, sums);
        if (count > LongSum<TVector>.KeysPerBlockPart)
            LongSum<TVector>.Clear(partSum, sums);
        for (int first = 0; first < count; first += LongSum<TVector>.KeysPerBlockPart)
        {
            int end = Math.Min(first + LongSum<TVector>.KeysPerBlockPart, count);
            AddValues(probability, rows, start, limit, values.From(first), valueDim, first, end, count, first == 0 ? blockSum : partSum);
            if (first > 0)
                LongSum<TVector>.MovePart(partSum, blockSum, sums);
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] over the keys from <paramref name="first"/> to <paramref name="end"/> that each query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddValues(
        float* probability, int rows, int* start, int* limit, BlockRows values, int valueDim, int first, int end, int count, float* output)
    {
        int whole = valueDim / TVector.Count * TVector.Count;
        for (int j = first; j < end; j += 4, values = values.From(4))
        {
            float* value = values.First, v1 = values.Row(1), v2 = values.Row(2), v3 = values.Row(3);
            float* o = output;
            float* p = probability + j;
            for (int row = 0; row < rows; row++, o += valueDim, p += count)
            {
                if (row == 0 || j < start[row] || j + 4 > limit[row])
                {
                    for (int i = Math.Max(j, start[row]); i < Math.Min(j + 4, limit[row]); i++)
                        Add(p[i - j], values.Row(i - j), valueDim, o);
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
}
