using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A row of groups of 32 elements, <c>x = d·q</c>: d, a half, then the 32 integers (<see cref="AttentionElement.Int8Group32"/>).</summary>
internal readonly unsafe struct Int8GroupRow : IStoredRow
{
    private const int Group = AttentionInput.GroupLength, Scale = sizeof(ushort);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Offset(nint column) => (nint)((nuint)column / Group * (Scale + Group));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, nint column)
        where TLanes : struct, ILanes<TLanes>
    {
        byte* group = row + Offset(column);
        return TLanes.LoadInt8((sbyte*)(group + Scale + (nuint)column % Group)) * GroupScales.First<TLanes>(group);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<TLanes>(byte* row, nint column, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes>
    {
        byte* group = row + Offset(column);
        sbyte* integers = (sbyte*)(group + Scale + (nuint)column % Group);
        TLanes scale = GroupScales.First<TLanes>(group);
        first = TLanes.LoadInt8(integers) * scale;
        second = TLanes.LoadInt8(integers + TLanes.Count) * scale;
    }
}
