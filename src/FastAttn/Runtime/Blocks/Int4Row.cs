using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// A row of elements of 4 bits, 0 to 15, without their separately stored scales and minima: for every 32 elements 16 bytes with the elements 0 to 15 in their lower halves and 16 to 31
/// in the upper ones (<see cref="AttentionElement.Int4"/>).
/// </summary>
internal readonly unsafe struct Int4Row : IStoredRow
{
    private const int Group = AttentionInput.GroupLength;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Offset(nint column) => (nint)((nuint)column / Group * (Group / 2));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, nint column)
        where TLanes : struct, ILanes<TLanes>
    {
        bool isFirst = column / TLanes.Count % 2 == 0;
        LoadPair(row, isFirst ? column : column - TLanes.Count, out TLanes first, out TLanes second);
        return isFirst ? first : second;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<TLanes>(byte* row, nint column, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes> => TLanes.LoadNibbles(row + Offset(column), (int)((nuint)column % Group), out first, out second);
}
