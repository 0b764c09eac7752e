using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>The halves at the beginning of a group of elements, each in all lanes of a vector.</summary>
internal static unsafe class GroupScales
{
    /// <summary>Reads the first half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes First<TLanes>(byte* group)
        where TLanes : struct, ILanes<TLanes> => TLanes.Create(HalfBits.ToFloats(Vector128.CreateScalar((int)Unsafe.ReadUnaligned<short>(group))).ToScalar());

    /// <summary>Reads the first two halves; nothing after them is read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Both<TLanes>(byte* group, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes>
    {
        Vector128<float> both = HalfBits.ToFloats(Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<int>(group)).AsInt16()));
        first = TLanes.Create(both[0]);
        second = TLanes.Create(both[1]);
    }
}
