using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary><see cref="Activation.GeluTanh"/>: x·σ(v) with v = 2·√(2/π)·(x + 0.044715·x³), since (1 + tanh u)/2 = σ(2u).</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct GeluTanh<TVector> : IElementFunction<GeluTanh<TVector>, TVector>
    where TVector : struct, ILanes<TVector>
{
    // 2·√(2/π), and that times 0.044715.
    private static readonly float[] s_values = [1.5957691216057308f, 0.07135481282700025f];

    private readonly SigmoidProduct<TVector> _product;
    private readonly TVector _c1, _c3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public GeluTanh()
    {
        ReadOnlySpan<float> values = s_values;
        _product = new();
        _c1 = TVector.Create(values[0]);
        _c3 = TVector.Create(values[1]);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GeluTanh<TVector> Create() => new();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector x) => _product.Apply(x, x * TVector.MultiplyAdd(x * x, _c3, _c1));
}
