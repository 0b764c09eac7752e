using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// A row of halves times 2⁻¹¹² (<see cref="HalfBits.Factor"/>), all of them normal numbers or zeros: the other factor is multiplied by 2¹¹² instead, once for many rows, and no product differs by a bit.
/// Subnormal halves would be subnormal floats, whose multiplication is a hundred times slower on some CPUs.
/// </summary>
internal readonly unsafe struct NormalHalfRow : IStoredRow
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Offset(nint column) => column * sizeof(ushort);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, nint column)
        where TLanes : struct, ILanes<TLanes> => TLanes.LoadHalfBits((ushort*)row + column);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<TLanes>(byte* row, nint column, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes>
    {
        first = TLanes.LoadHalfBits((ushort*)row + column);
        second = TLanes.LoadHalfBits((ushort*)row + column + TLanes.Count);
    }
}
