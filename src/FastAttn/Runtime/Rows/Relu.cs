using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary><see cref="Activation.Relu"/>: x where it is positive or NaN, else 0. Instruction sets differ in their maximum of 0 and −0, so it is not used.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct Relu<TVector> : IElementFunction<Relu<TVector>, TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Relu<TVector> Create() => new();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector x) => TVector.SelectGreaterOrEqual(TVector.Create(0), x, TVector.Create(0), x);
}
