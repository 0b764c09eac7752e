using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary><see cref="Activation.Gelu"/>: x·Φ(x), with the same relative error for negative x as for positive ones.</summary>
/// <remarks>
/// <para>
/// With a = |x| it is x − x·Q(a) for x &gt; 0 and x·Q(a) below, where Q(a) = erfc(a/√2)/2 = e^(−a²/2)·M(a). M, which is Mills' ratio over √(2π),
/// falls slowly from ½ on: it is a quotient of polynomials of degrees 4 and 5, whose coefficients are all positive, so that nothing cancels.
/// They minimise the largest relative error for a ≤ 14.5, 6·10^−9 (Lawson's reweighted least squares, the denominator of the step before as a
/// weight), and were rounded one after the other, the rest being fitted again each time: 9·10^−9. Degrees 3 and 4 are 3.4 ulp off.
/// </para>
/// <para>
/// A rounded a² would be off by 2^−24 of some 100, and the power by as much, relatively: a is split into h, a multiple of 2^−8 whose square is exact, and the
/// rest, and −a²/2 = −h²/2 + (h − a)(h + a)/2. That needs no fused multiply-add.
/// </para>
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct Gelu<TVector> : IElementFunction<Gelu<TVector>, TVector>
    where TVector : struct, ILanes<TVector>
{
    // 14.5, where the result is below half of the smallest subnormal number; 1.5·2^15, which leaves a last bit of 2^−8 in a sum with a; then M.
    private static readonly float[] s_values =
    [
        14.5f, 49152f, 0.5f,
        0.43759045f, 0.18268785f, 0.040441256f, 0.0040855105f,
        1.6730658f, 1.2002851f, 0.46801889f, 0.10137778f, 0.010240734f,
    ];

    private readonly TailExp<TVector> _exp;
    private readonly TVector _max, _min, _round, _zero, _half, _p1, _p2, _p3, _p4, _q1, _q2, _q3, _q4, _q5;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Gelu()
    {
        ReadOnlySpan<float> values = s_values;
        _exp = new();
        _zero = TVector.Create(0);
        _max = TVector.Create(values[0]);
        _min = TVector.Create(-values[0]);
        _round = TVector.Create(values[1]);
        _half = TVector.Create(values[2]);
        _p1 = TVector.Create(values[3]);
        _p2 = TVector.Create(values[4]);
        _p3 = TVector.Create(values[5]);
        _p4 = TVector.Create(values[6]);
        _q1 = TVector.Create(values[7]);
        _q2 = TVector.Create(values[8]);
        _q3 = TVector.Create(values[9]);
        _q4 = TVector.Create(values[10]);
        _q5 = TVector.Create(values[11]);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Gelu<TVector> Create() => new();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector x)
    {
        TVector near = TVector.Min(_max, TVector.Max(_min, x)), a = TVector.Max(_zero - near, near);
        TVector h = a + _round - _round;
        TVector power = _exp.Apply(_zero - h * (h * _half), (h - a) * (h + a) * _half);

        TVector p = TVector.MultiplyAdd(_p4, a, _p3), q = TVector.MultiplyAdd(_q5, a, _q4);
        p = TVector.MultiplyAdd(p, a, _p2);
        q = TVector.MultiplyAdd(q, a, _q3);
        p = TVector.MultiplyAdd(p, a, _p1);
        q = TVector.MultiplyAdd(q, a, _q2);
        p = TVector.MultiplyAdd(p, a, _half);
        q = TVector.MultiplyAdd(q, a, _q1);
        q = TVector.MultiplyAdd(q, a, _exp.One);

        // The power comes last: by itself, or times M, it would be subnormal before the result is.
        TVector tail = near * (p / q) * power * _exp.Scale;
        return TVector.SelectGreaterOrEqual(_zero, x, tail, x - tail);
    }
}
