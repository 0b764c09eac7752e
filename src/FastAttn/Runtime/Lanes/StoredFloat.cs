using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Floats.</summary>
internal readonly struct StoredFloat : IStoredElement
{
    /// <inheritdoc/>
    public static int Bytes => sizeof(float);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load(ref *(float*)source);
}
