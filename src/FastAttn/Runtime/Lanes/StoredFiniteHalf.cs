using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Half-precision numbers, none of them ±∞ or NaN.</summary>
internal readonly struct StoredFiniteHalf : IStoredElement
{
    /// <inheritdoc/>
    public static int Bytes => sizeof(ushort);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes> => TLanes.LoadHalfBits((ushort*)source) * TLanes.Create(HalfBits.Factor);
}
