using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>An element of a query, widened and times a factor.</summary>
/// <typeparam name="TStored">How it becomes a float.</typeparam>
internal readonly unsafe struct QueryElement<TStored> : IRowElement
    where TStored : struct, IStoredElement
{
    /// <inheritdoc/>
    public static bool OnlyHides => false;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector> => TStored.Load<TVector>((byte*)row + index * TStored.Bytes) * scale;
}
