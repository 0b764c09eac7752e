using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A byte: 0 hides.</summary>
internal readonly unsafe struct BooleanElement : IMaskElement
{
    public static int Bits => 8;

    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector> => TVector.HideZeroBytes((byte*)row + index);
}
