using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>An element of a boolean mask: a byte, where 0 hides.</summary>
internal readonly unsafe struct BooleanElement : IMaskElement
{
    public static AttentionFeatures Feature => AttentionFeatures.BooleanMask;

    public static int Bits => 8;

    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector> => TVector.HideZeroBytes((byte*)row + index);

    public static bool HidesFirst(void* row) => *(byte*)row == 0;

    public static void Narrow(void* row, ref int start, ref int limit) => KeyRange.Narrow((byte*)row, (byte)0, ref start, ref limit);
}
