using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A float, times a factor.</summary>
internal readonly unsafe struct FloatElement : IMaskElement
{
    public static int Bits => 32;

    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector> => TVector.Load(ref ((float*)row)[index]) * scale;
}
