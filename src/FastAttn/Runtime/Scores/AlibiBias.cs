using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The arithmetic of ALiBi: −slope·max(|offset| − nearest, 0) for a vector of queries or of keys.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="high">The leading bits of −slope (<see cref="AlibiSlope"/>).</param>
/// <param name="low">The rest of −slope.</param>
/// <param name="nearest">The distance beyond which distances count: a mask hides the keys that are nearer.</param>
internal readonly struct AlibiBias<TVector>(TVector high, TVector low, TVector nearest)
    where TVector : struct, ILanes<TVector>
{
    /// <summary>Adds the bias to a score or a mask; −∞ stays −∞.</summary>
    /// <param name="addend">The score or the mask.</param>
    /// <param name="offset">How far the key is from the query's origin, in either direction.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector AddTo(TVector addend, TVector offset)
    {
        TVector zero = TVector.Create(0), length = TVector.Max(TVector.Max(offset, zero - offset) - nearest, zero);
        return Bias<TVector>.Hide(addend, TVector.MultiplyAdd(high, length, TVector.MultiplyAdd(low, length, addend)));
    }

    /// <summary>The bias alone, if no mask hides keys and all offsets are distances.</summary>
    /// <param name="distance">How far the key is from the query's origin, not negative.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Of(TVector distance) => TVector.MultiplyAdd(high, distance, low * distance);
}
