using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// The softmax over keys that arrive block by block (arXiv 1805.02867). Its state is a running maximum m,
/// a running sum l and the output Ot, one lane a query.
/// </summary>
internal static class OnlineSoftmax
{
    /// <summary>
    /// The running maximum before any key: finite, so that a query without keys never meets ∞ − ∞.
    /// A masked score is −∞ and e^(−∞ − m) = 0.
    /// </summary>
    public const float NoMax = float.MinValue;

    /// <summary>total = factor·total + term, and rest = factor·rest + what that sum rounds off (Knuth's two-sum). The product with the factor is rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<TVector>(ref float total, TVector factor, ref float rest, TVector term)
        where TVector : struct, ILanes<TVector>
    {
        TVector before = TVector.Load(ref total) * factor, sum = before + term, added = sum - before;
        TVector.MultiplyAdd(TVector.Load(ref rest), factor, before - (sum - added) + (term - added)).Store(ref rest);
        sum.Store(ref total);
    }

    /// <summary>total + rest; the total alone where that is ±∞, whose rest is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector WithRest<TVector>(ref float total, ref float rest)
        where TVector : struct, ILanes<TVector>
    {
        TVector sum = TVector.Load(ref total), whole = sum + TVector.Load(ref rest);
        return TVector.SelectGreaterOrEqual(whole, whole, whole, sum);
    }

    /// <summary>
    /// Takes one block of scores into the state: P[j][q] = e^(S[j][q] − m'[q]) in place, alpha[q] = e^(m[q] − m'[q]),
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
