using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary><c>x·σ(v) = x / (1 + e^−v)</c> for numbers x and v of one sign.</summary>
/// <remarks>
/// It is x / (1 + e^−|v|) where x ≥ 0, and x·e^−|v| / (1 + e^−|v|) below: no step cancels, so the relative error for large negative x is that of v alone.
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct SigmoidProduct<TVector>
    where TVector : struct, ILanes<TVector>
{
    private readonly TailExp<TVector> _exp;
    private readonly TVector _zero, _floor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public SigmoidProduct()
    {
        _exp = new();
        _zero = TVector.Create(0);
        _floor = TVector.Create(TailExp<TVector>.Floor);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector x, TVector v)
    {
        TVector power = _exp.Apply(TVector.Min(v, _zero - v));

        // At or below the floor the power is 0, by which −∞ must not be multiplied.
        TVector below = TVector.Max(_floor, x) * power * _exp.Scale;
        return TVector.SelectGreaterOrEqual(x, _zero, x, below) / TVector.MultiplyAdd(power, _exp.Scale, _exp.One);
    }
}
