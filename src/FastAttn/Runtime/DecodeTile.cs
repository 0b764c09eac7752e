using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of few queries, as in decoding: with a lane for each query most lanes would idle, so here the lanes are the
/// head dimension. Keys and values stream through once for all query heads of a group, a block at a time; the limit is
/// memory bandwidth, and plain code reaches it.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class DecodeTile<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>
    /// Whether a call has few queries: at most half a vector's lanes, where both ways take about as long. The heads of a
    /// group do not count, so that grouped heads give the same bits as repeated ones.
    /// </summary>
    public static bool Suits(in AttentionCall call) => call.Shape.QueryLength <= TVector.Count / 2;

    /// <summary>q[t] = scale·Q[t] for one row.</summary>
    public static void PackQuery(float* source, float scale, float* query, int headDim)
    {
        for (int t = 0; t < headDim; t++)
            query[t] = source[t] * scale;
    }

    /// <summary>Takes the keys of a block that one row sees into its state (<see cref="OnlineSoftmax"/>).</summary>
    /// <param name="query">The row's scaled query.</param>
    /// <param name="key">First key of the block.</param>
    /// <param name="keyStride">From key to key.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="value">First value of the block.</param>
    /// <param name="valueStride">From value to value.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys that the row sees, at least 1.</param>
    /// <param name="score">Room for as many scores.</param>
    /// <param name="max">The row's running maximum.</param>
    /// <param name="sum">The row's running sum.</param>
    /// <param name="output">The row's output so far.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TakeBlock(
        float* query, float* key, long keyStride, int headDim, float* value, long valueStride, int valueDim, int count, float* score, ref float max, ref float sum, float* output)
    {
        float newMax = Scores(query, key, keyStride, headDim, count, score, max);
        float alpha = Powers(score, count, newMax, ref max, ref sum);
        Values(score, value, valueStride, valueDim, count, alpha, output);
    }

    /// <summary>s[j] = Σ_t K[j][t]·q[t]; returns the running maximum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Scores(float* query, float* key, long keyStride, int headDim, int count, float* score, float max)
    {
        int whole = headDim / TVector.Count * TVector.Count;
        int j = 0;
        for (; j + 4 <= count; j += 4, key += 4 * keyStride)
        {
            float* k1 = key + keyStride, k2 = k1 + keyStride, k3 = k2 + keyStride;
            TVector a0 = TVector.Create(0), a1 = a0, a2 = a0, a3 = a0;
            for (int t = 0; t < whole; t += TVector.Count)
            {
                TVector q = TVector.Load(ref query[t]);
                a0 = TVector.MultiplyAdd(q, TVector.Load(ref key[t]), a0);
                a1 = TVector.MultiplyAdd(q, TVector.Load(ref k1[t]), a1);
                a2 = TVector.MultiplyAdd(q, TVector.Load(ref k2[t]), a2);
                a3 = TVector.MultiplyAdd(q, TVector.Load(ref k3[t]), a3);
            }

            Vector128<float> s0 = TVector.FoldToFour(a0), s1 = TVector.FoldToFour(a1), s2 = TVector.FoldToFour(a2), s3 = TVector.FoldToFour(a3);
            Transpose.InPlace(ref s0, ref s1, ref s2, ref s3);
            Vector128<float> s = (s0 + s1) + (s2 + s3);
            if (whole != headDim)
                s += Vector128.Create(Rest(query, key, whole, headDim), Rest(query, k1, whole, headDim), Rest(query, k2, whole, headDim), Rest(query, k3, whole, headDim));
            s.Store(score + j);
        }

        for (; j < count; j++, key += keyStride)
        {
            TVector a = TVector.Create(0);
            for (int t = 0; t < whole; t += TVector.Count)
                a = TVector.MultiplyAdd(TVector.Load(ref query[t]), TVector.Load(ref key[t]), a);
            score[j] = Sum(a) + Rest(query, key, whole, headDim);
        }

        // As the vector form: a NaN is taken, then lost again; it comes back as the score's own power of 2.
        for (j = 0; j < count; j++)
            max = max > score[j] ? max : score[j];
        return max;
    }

    private static float Rest(float* query, float* key, int from, int headDim)
    {
        float sum = 0;
        for (int t = from; t < headDim; t++)
            sum += query[t] * key[t];
        return sum;
    }

    /// <summary>p[j] = 2^(s[j] − m') in place, and the state that goes with it; returns 2^(m − m').</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Powers(float* score, int count, float newMax, ref float max, ref float sum)
    {
        VectorMath.Exp2Constants<TVector> constants = new();
        TVector m = TVector.Create(newMax), total = TVector.Create(0);
        int j = 0;
        for (; j + TVector.Count <= count; j += TVector.Count)
        {
            TVector p = VectorMath.Exp2(TVector.Load(ref score[j]) - m, constants);
            p.Store(ref score[j]);
            total += p;
        }

        float blockSum = Sum(total);
        for (; j < count; j++)
            blockSum += score[j] = Exp2(score[j] - newMax);

        float alpha = Exp2(max - newMax);
        sum = sum * alpha + blockSum;
        max = newMax;
        return alpha;
    }

    /// <summary>o[c] = alpha·o[c] + Σ_j p[j]·V[j][c].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Values(float* probability, float* value, long valueStride, int valueDim, int count, float alpha, float* output)
    {
        int whole = valueDim / TVector.Count * TVector.Count;
        for (int c = 0; c < whole; c += TVector.Count)
            (TVector.Load(ref output[c]) * TVector.Create(alpha)).Store(ref output[c]);
        for (int c = whole; c < valueDim; c++)
            output[c] *= alpha;

        int j = 0;
        for (; j + 4 <= count; j += 4, value += 4 * valueStride)
        {
            float* v1 = value + valueStride, v2 = v1 + valueStride, v3 = v2 + valueStride;
            TVector p0 = TVector.Create(probability[j]), p1 = TVector.Create(probability[j + 1]);
            TVector p2 = TVector.Create(probability[j + 2]), p3 = TVector.Create(probability[j + 3]);
            for (int c = 0; c < whole; c += TVector.Count)
            {
                TVector o = TVector.MultiplyAdd(p0, TVector.Load(ref value[c]), TVector.Load(ref output[c]));
                o = TVector.MultiplyAdd(p1, TVector.Load(ref v1[c]), o);
                o = TVector.MultiplyAdd(p2, TVector.Load(ref v2[c]), o);
                o = TVector.MultiplyAdd(p3, TVector.Load(ref v3[c]), o);
                o.Store(ref output[c]);
            }

            for (int c = whole; c < valueDim; c++)
                output[c] += probability[j] * value[c] + probability[j + 1] * v1[c] + (probability[j + 2] * v2[c] + probability[j + 3] * v3[c]);
        }

        for (; j < count; j++, value += valueStride)
        {
            TVector p = TVector.Create(probability[j]);
            for (int c = 0; c < whole; c += TVector.Count)
                TVector.MultiplyAdd(p, TVector.Load(ref value[c]), TVector.Load(ref output[c])).Store(ref output[c]);
            for (int c = whole; c < valueDim; c++)
                output[c] += probability[j] * value[c];
        }
    }

    private static float Sum(TVector a)
    {
        Vector128<float> four = TVector.FoldToFour(a);
        return (four[0] + four[1]) + (four[2] + four[3]);
    }

    private static float Exp2(float x)
    {
        Span<float> one = stackalloc float[1];
        VectorMath.Exp2(new Lanes1(x), new VectorMath.Exp2Constants<Lanes1>()).Store(ref one[0]);
        return one[0];
    }
}
