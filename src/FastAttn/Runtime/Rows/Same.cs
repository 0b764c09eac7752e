using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary><see cref="Activation.None"/>: x itself.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly struct Same<TVector> : IElementFunction<Same<TVector>, TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Same<TVector> Create() => new();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector x) => x;
}
