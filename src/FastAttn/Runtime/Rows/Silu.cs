using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary><see cref="Activation.Silu"/>: x·σ(x).</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct Silu<TVector> : IElementFunction<Silu<TVector>, TVector>
    where TVector : struct, ILanes<TVector>
{
    private readonly SigmoidProduct<TVector> _product;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Silu() => _product = new();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Silu<TVector> Create() => new();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector x) => _product.Apply(x, x);
}
