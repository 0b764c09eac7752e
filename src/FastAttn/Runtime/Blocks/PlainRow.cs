using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A row of ungrouped elements.</summary>
/// <typeparam name="TElement">The elements.</typeparam>
internal readonly unsafe struct PlainRow<TElement> : IStoredRow
    where TElement : struct, IStoredElement
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Offset(nint column) => (nint)column * TElement.Bytes;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, nint column)
        where TLanes : struct, ILanes<TLanes> => TElement.Load<TLanes>(row + Offset(column));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<TLanes>(byte* row, nint column, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes>
    {
        first = TElement.Load<TLanes>(row + Offset(column));
        second = TElement.Load<TLanes>(row + Offset(column) + Offset(TLanes.Count));
    }
}
