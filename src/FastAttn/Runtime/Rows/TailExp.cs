using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// <c>2^32·e^(z + d)</c> for z ≤ 0, with the same relative error however small the power is: within 1 ulp of it where |d| is below 2^−5 and z and d
/// are exact.
/// </summary>
/// <remarks>
/// <para>
/// The factor keeps the power a normal float down to e^z = 2^−158, so that its product with a number up to 2^9 is rounded once, to the nearest subnormal if it is
/// one. Below −159·ln 2 the power is 0.
/// </para>
/// <para>
/// z = n·ln 2 + r with n an integer, where ln 2 is split into two floats: the first has 15 bits, so that its product with n, of 8 bits, is exact with
/// fused multiply-adds or without. e^r is 1 + r and a polynomial of degree 4 times r²; its coefficients minimise the largest relative error
/// for |r| ≤ ½·ln 2, 3·10^−9 (Lawson's reweighted least squares). The error of <see cref="VectorMath.Exp"/>, which is faster, grows
/// with |z|.
/// </para>
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct TailExp<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>−159·ln 2: from here on the power is 0, since 2^32·e^z has no exponent left.</summary>
    public const float Floor = -110.2104f;

    // log₂ e; 1.5·2^23, which leaves the nearest integer in the low bits of a sum, where adding 127 + 32 makes it a biased exponent; −ln 2 in two floats; the coefficients.
    private static readonly float[] s_values =
        [Floor, 1.442695f, 12582912f + 127f + 32f, -0.69314575f, -1.4286068e-6f, 0.0013814597f, 0.008368717f, 0.041668388f, 0.1666652f, 0.49999993f, 1f, 1f / (1L << 32)];

    private readonly TVector _floor, _log2E, _round, _minusLn2, _minusRestOfLn2, _c6, _c5, _c4, _c3, _c2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TailExp()
    {
        ReadOnlySpan<float> values = s_values;
        _floor = TVector.Create(values[0]);
        _log2E = TVector.Create(values[1]);
        _round = TVector.Create(values[2]);
        _minusLn2 = TVector.Create(values[3]);
        _minusRestOfLn2 = TVector.Create(values[4]);
        _c6 = TVector.Create(values[5]);
        _c5 = TVector.Create(values[6]);
        _c4 = TVector.Create(values[7]);
        _c3 = TVector.Create(values[8]);
        _c2 = TVector.Create(values[9]);
        One = TVector.Create(values[10]);
        Scale = TVector.Create(values[11]);
    }

    /// <summary>1.</summary>
    public TVector One { get; }

    /// <summary>2^−32, by which a product with the power is multiplied last.</summary>
    public TVector Scale { get; }

    /// <summary>2^32·e^z; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector z) => Power(Reduce(z, out TVector power), power);

    /// <summary>2^32·e^(z + d); NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector z, TVector d) => Power(Reduce(z, out TVector power) + d, power);

    /// <summary>r = z − n·ln 2, and 2^(n + 32).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TVector Reduce(TVector z, out TVector power)
    {
        z = TVector.Max(_floor, z);
        TVector shifted = TVector.MultiplyAdd(z, _log2E, _round), n = shifted - _round;
        power = TVector.ShiftToExponent(shifted);
        return TVector.MultiplyAdd(n, _minusRestOfLn2, TVector.MultiplyAdd(n, _minusLn2, z));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TVector Power(TVector r, TVector power)
    {
        TVector p = TVector.MultiplyAdd(_c6, r, _c5);
        p = TVector.MultiplyAdd(p, r, _c4);
        p = TVector.MultiplyAdd(p, r, _c3);
        p = TVector.MultiplyAdd(p, r, _c2);
        p = TVector.MultiplyAdd(p, r, One);
        return TVector.MultiplyAdd(p, r * power, power);
    }
}
