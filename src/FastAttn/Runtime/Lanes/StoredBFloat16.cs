using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Bfloat16 numbers.</summary>
internal readonly struct StoredBFloat16 : IStoredElement
{
    /// <inheritdoc/>
    public static int Bytes => sizeof(ushort);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes> => TLanes.LoadBFloat16((ushort*)source);
}
