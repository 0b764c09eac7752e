using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Elementary functions, written once for all vectors.</summary>
internal static class VectorMath
{
    /// <summary>z = <see cref="TanhScale"/>·x, where tanh x is (2^z − 1) / (2^z + 1). In double: factors of scores are rounded once.</summary>
    public const double TanhScale = 2 * 1.442695040888963407;

    /// <summary>The bits of 2^(n/8) for an integer n: those of 2^(k/8), where k is n modulo 8, and (n − k)/8 more in the exponent.</summary>
    public static class Eighths
    {
        /// <summary>The shift that adds n/8 to an exponent. The remainder k reaches the mantissa's highest bits.</summary>
        public const int Shift = 20;

        /// <summary>For k from 0 to 7 the bits of 2^(k/8), rounded to nearest, minus what k adds to the mantissa; all of them twice, for vectors of 16.</summary>
        /// <remarks>
        /// A span, not a vector: the JIT makes constants of the vectors that are read from its beginning, and a single element is read in place. A vector that the CPU does
        /// not have would be read after eight stores.
        /// </remarks>
        public static ReadOnlySpan<int> Powers =>
        [
            0x3F800000, 0x3F7B95C2, 0x3F7837F0, 0x3F75FED7, 0x3F7504F3, 0x3F75672A, 0x3F7744FD, 0x3F7AC0C7,
            0x3F800000, 0x3F7B95C2, 0x3F7837F0, 0x3F75FED7, 0x3F7504F3, 0x3F75672A, 0x3F7744FD, 0x3F7AC0C7,
        ];
    }

    /// <summary>The constants of e^x, each in a register.</summary>
    /// <remarks>
    /// They are read from an array, so that the JIT keeps them in registers: a literal constant is loaded in every iteration. The eleven of tanh would then
    /// take 12% longer (AVX2, Zen 4); with the six of e^x it makes no difference there.
    /// </remarks>
    public readonly struct ExpConstants<TVector>
        where TVector : struct, ILanes<TVector>
    {
        public readonly TVector Floor, EighthsOfE, Round, C3, C2, C1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ExpConstants()
        {
            float[] values = ExpValues;
            Floor = TVector.Create(values[0]);
            EighthsOfE = TVector.Create(values[1]);
            Round = TVector.Create(values[2]);
            C3 = TVector.Create(values[3]);
            C2 = TVector.Create(values[4]);
            C1 = TVector.Create(values[5]);
        }
    }

    // −127·ln 2, 8·log₂ e, then 1.5·2^23, which leaves the nearest integer in the low bits of a sum; then the coefficients.
    private static readonly float[] ExpValues =
        [-88.02969f, 8 * 1.442695f, 12582912f, 0.00010839103f, 0.0037540256f, 0.086643405f];

    /// <summary>e^x for x ≤ 0; 0 below −127·ln 2; NaN stays NaN.</summary>
    /// <remarks>
    /// <para>
    /// 8·x·log₂(e) = n + r with n an integer and r in [−½, ½]; 2^(r/8) is a polynomial of degree 3 whose constant is exactly 1, so that e^0 = 1
    /// and no register holds it. The other coefficients minimise the largest relative error on [−½, ½] (Lawson's reweighted least squares:
    /// 2.5·10^−8 before rounding). 2^(n/8)·r is known before the polynomial is, which saves one step over multiplying the polynomial by 2^(n/8).
    /// </para>
    /// <para>
    /// Eighths, because one AVX2 instruction looks up one of eight floats for each lane. With whole powers of 2 the polynomial has degree 6: the softmax step takes 6.4
    /// instead of 5.0 cycles for 8 floats (AVX2, Zen 4), attention with d = 64 2 to 3% longer (AVX-512 1.5%).
    /// </para>
    /// <para>
    /// The error is at most 2 ulp of the result and, relative to it, |x|·2^−26: log₂(e) as a float is off by 1.3·10^−8, less than the rounding of
    /// a scale to a float may be. Where multiply-adds are not fused the product is rounded, which adds |x|·2^−24. A second
    /// float of log₂(e) would remove that error for 1% of the whole time of attention with d = 64 (AVX-512, Zen 4).
    /// </para>
    /// <para>
    /// Between −127·ln 2 and −126·ln 2 the power 2^(n/8) would be subnormal: its bits give (2^(k/8) − 1)·2^−126 for 2^(k/8)·2^−127. So the result
    /// errs by less than 0.53·2^−126, where 0 would err by up to 2^−126. Selecting 0 would take 1% of attention with d = 64 (Zen 4).
    /// </para>
    /// <para>
    /// The factor is applied here and not to the queries, so that scores keep their units: large ones whose differences a float holds are exact.
    /// </para>
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TVector>(TVector x, in ExpConstants<TVector> k)
        where TVector : struct, ILanes<TVector>
    {
        x = TVector.Max(k.Floor, x);
        TVector shifted = TVector.MultiplyAdd(x, k.EighthsOfE, k.Round);
        TVector r = TVector.MultiplyAdd(x, k.EighthsOfE, k.Round - shifted);
        TVector power = TVector.PowerOfEighths(shifted);
        TVector p = TVector.MultiplyAdd(TVector.MultiplyAdd(k.C3, r, k.C2), r, k.C1);
        return TVector.MultiplyAdd(p, r * power, power);
    }

    /// <summary>The constants of <see cref="TanhOfLog2"/>, each in a register.</summary>
    public readonly struct TanhConstants<TVector>
        where TVector : struct, ILanes<TVector>
    {
        public readonly TVector Max, Min, Round, C6, C5, C4, C3, C2, C1, One, Two;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TanhConstants()
        {
            float[] values = TanhValues;
            Max = TVector.Create(values[0]);
            Min = TVector.Create(-values[0]);
            Round = TVector.Create(values[1]);
            C6 = TVector.Create(values[2]);
            C5 = TVector.Create(values[3]);
            C4 = TVector.Create(values[4]);
            C3 = TVector.Create(values[5]);
            C2 = TVector.Create(values[6]);
            C1 = TVector.Create(values[7]);
            One = TVector.Create(values[8]);
            Two = TVector.Create(values[9]);
        }
    }

    // From x = 9.02 on tanh rounds to 1.
    private static readonly float[] TanhValues =
        [(float)(9.02 * TanhScale), 12582912f + 127f, 0.00015403487f, 0.0013390735f, 0.009618238f, 0.055503574f, 0.2402265f, 0.6931472f, 1f, 2f];

    /// <summary>(2^z − 1) / (2^z + 1), which is tanh of z / <see cref="TanhScale"/>, within 3 ulp; NaN stays NaN.</summary>
    /// <remarks>
    /// u / (u + 2) with u = 2^z − 1. With z = n + f, n an integer and f in [−½, ½], u is 2^n·g + (2^n − 1), where
    /// g = 2^f − 1 is a polynomial without a constant: nothing cancels where x is small. The coefficients minimise the
    /// largest relative error of g (Lawson's reweighted least squares). A quotient of two polynomials is as fast but 5.7 ulp
    /// off, and one of e^−2|x| with a polynomial for small x is twice the work.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector TanhOfLog2<TVector>(TVector z, in TanhConstants<TVector> k)
        where TVector : struct, ILanes<TVector>
    {
        z = TVector.Min(k.Max, TVector.Max(k.Min, z));
        TVector shifted = z + k.Round;
        TVector f = z - (shifted - k.Round);

        TVector p = TVector.MultiplyAdd(k.C6, f, k.C5);
        p = TVector.MultiplyAdd(p, f, k.C4);
        p = TVector.MultiplyAdd(p, f, k.C3);
        p = TVector.MultiplyAdd(p, f, k.C2);
        p = TVector.MultiplyAdd(p, f, k.C1);
        TVector power = TVector.ShiftToExponent(shifted);
        TVector u = TVector.MultiplyAdd(p, f * power, power - k.One);
        return u / (u + k.Two);
    }
}
