using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Half-precision numbers.</summary>
internal readonly struct StoredHalf : IStoredElement
{
    /// <inheritdoc/>
    public static int Bytes => sizeof(ushort);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes> => TLanes.LoadHalf((ushort*)source);
}
