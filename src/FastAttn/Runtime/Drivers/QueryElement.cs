using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>An element of a query, widened and multiplied by a factor.</summary>
/// <typeparam name="TRow">How a row of them becomes floats.</typeparam>
internal readonly unsafe struct QueryElement<TRow> : IRowElement
    where TRow : struct, IStoredRow
{
    /// <inheritdoc/>
    public static bool OnlyHides => false;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector> => TRow.Load<TVector>((byte*)row, (nint)index) * scale;
}
