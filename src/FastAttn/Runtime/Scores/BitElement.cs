using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A bit: 0 hides.</summary>
internal readonly unsafe struct BitElement : IMaskElement
{
    public static int Bits => 1;

    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector>
    {
        // No byte after that of the last bit is read.
        byte* bytes = (byte*)row + (index >> 3);
        int shift = (int)(index & 7), end = shift + TVector.Count, bits = *bytes;
        if (end > 8)
            bits |= bytes[1] << 8;
        if (end > 16)
            bits |= bytes[2] << 16;
        return TVector.HideZeroBits(bits >> shift);
    }
}
