using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>8-bit integers, without their scales.</summary>
internal readonly struct StoredInt8 : IStoredElement
{
    /// <inheritdoc/>
    public static int Bytes => sizeof(sbyte);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes> => TLanes.LoadInt8((sbyte*)source);
}
