using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// The softmax over keys that arrive block by block (arXiv 1805.02867). Its state is a running maximum m,
/// a running sum l and the output Ot, one lane per query.
/// </summary>
internal static class OnlineSoftmax
{
    /// <summary>
    /// The running maximum before any key: finite, so that a query without keys never computes ∞ − ∞.
    /// A masked score is −∞ and e^(−∞ − m) = 0.
    /// </summary>
    public const float NoMax = float.MinValue;

    /// <summary>
    /// The running maxima before any key: the initial value, or a sink's logit. The sink's own weight is added last (<see cref="WithSink"/>), so that the sum
    /// of a query's keys does not depend on where the keys of the tile's other queries begin.
    /// </summary>
    /// <param name="max">m, written.</param>
    /// <param name="sinks">As many sinks, −∞ for none; null if no query has one.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Begin(float* max, float* sinks, int count)
    {
        new Span<float>(max, count).Fill(NoMax);
        for (int q = 0; q < count && sinks != null; q++)
        {
            if (!float.IsNegativeInfinity(sinks[q]))
                max[q] = sinks[q];
        }
    }

    /// <summary>l with the weight of a sink; −∞ for none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double WithSink(double sum, float max, float sink) => float.IsNegativeInfinity(sink) ? sum : sum + Math.Exp((double)sink - max);

    /// <summary>1 / l, by which outputs are multiplied last; 0 without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Inverse(double sum) => sum == 0 ? 0 : (float)(1 / sum);

    /// <summary>LSE = m + shift + ln l; −∞ without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LogSumExp(double sum, float max, double shift) => sum == 0 ? float.NegativeInfinity : (float)(max + shift + Math.Log(sum));

    /// <summary>
    /// Adds one block of scores to the state: P[j][q] = e^(S[j][q] − m'[q]) in place, alpha[q] = e^(m[q] − m'[q]),
    /// l[q] = alpha[q]·l[q] + Σ_j P[j][q], the sum first, m[q] = m'[q], for the queries of one vector.
    /// </summary>
    /// <param name="score">S, then P: <paramref name="keyCount"/> rows.</param>
    /// <param name="newMax">m': the running maximum with this block.</param>
    /// <param name="max">m.</param>
    /// <param name="sum">l.</param>
    /// <param name="alpha">The factor by which sums and outputs so far shrink, written.</param>
    /// <param name="keyCount">Keys in the block.</param>
    /// <param name="stride">Floats from row to row.</param>
    /// <param name="constants">The constants of e^x.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<TVector>(
        ref float score, ref float newMax, ref float max, ref float sum, ref float alpha, int keyCount, int stride, in VectorMath.ExpConstants<TVector> constants)
        where TVector : struct, ILanes<TVector>
    {
        TVector m = TVector.Load(ref newMax);
        TVector l = TVector.Create(0);

        ref float s = ref score;
        int j = 0;
        for (; j + 2 <= keyCount; j += 2)
        {
            ref float next = ref Unsafe.Add(ref s, stride);
            TVector p0 = VectorMath.Exp(TVector.Load(ref s) - m, constants), p1 = VectorMath.Exp(TVector.Load(ref next) - m, constants);
            p0.Store(ref s);
            p1.Store(ref next);
            l += p0 + p1;
            s = ref Unsafe.Add(ref s, 2 * stride);
        }

        for (; j < keyCount; j++)
        {
            TVector p = VectorMath.Exp(TVector.Load(ref s) - m, constants);
            p.Store(ref s);
            l += p;
            s = ref Unsafe.Add(ref s, stride);
        }

        TVector a = VectorMath.Exp(TVector.Load(ref max) - m, constants);
        m.Store(ref max);
        a.Store(ref alpha);
        TVector.MultiplyAdd(TVector.Load(ref sum), a, l).Store(ref sum);
    }
}
