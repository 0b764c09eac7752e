using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Elementary functions, written once for all vectors.</summary>
internal static class VectorMath
{
    /// <summary>2^x for x ≤ 0, within 2 ulp; 0 below 2^−126; NaN stays NaN.</summary>
    /// <remarks>
    /// x = n + f with n an integer and f in [−½, ½]; 2^f is a polynomial of degree 5 whose constant is exactly 1,
    /// so that 2^0 = 1. The other coefficients minimise the largest error in ulps on [−½, ½] (Lawson's reweighted
    /// least squares: 1.05 ulp before rounding, 1.77 after; minimising the relative error instead gives 2.01).
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2<TVector>(TVector x)
        where TVector : struct, ILanes<TVector>
    {
        // Adding 1.5·2^23 leaves the nearest integer in the low bits; 127 more makes them a biased exponent.
        const float Round = 12582912f + 127f;

        x = TVector.Max(TVector.Create(-127f), x);
        TVector shifted = x + TVector.Create(Round);
        TVector f = x - (shifted - TVector.Create(Round));

        TVector p = TVector.MultiplyAdd(TVector.Create(0.0013225715f), f, TVector.Create(0.009671767f));
        p = TVector.MultiplyAdd(p, f, TVector.Create(0.055508915f));
        p = TVector.MultiplyAdd(p, f, TVector.Create(0.24022236f));
        p = TVector.MultiplyAdd(p, f, TVector.Create(0.6931468f));
        p = TVector.MultiplyAdd(p, f, TVector.Create(1f));
        return p * TVector.ShiftToExponent(shifted);
    }
}
