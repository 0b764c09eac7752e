using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// A row of groups of 32 elements, <c>x = d·q + m</c>: d and m, two halves, then 16 bytes with the elements 0 to 15 in their lower halves and 16 to 31 in the upper ones
/// (<see cref="AttentionElement.Int4Group32"/>).
/// </summary>
internal readonly unsafe struct Int4GroupRow : IStoredRow
{
    private const int Group = AttentionInput.GroupLength, Scales = 2 * sizeof(ushort);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Offset(nint column) => (nint)((nuint)column / Group * (Scales + Group / 2));

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
        where TLanes : struct, ILanes<TLanes>
    {
        byte* group = row + Offset(column);
        GroupScales.Both(group, out TLanes scale, out TLanes min);
        TLanes.LoadNibbles(group + Scales, (int)((nuint)column % Group), scale, min, out first, out second);
    }
}
