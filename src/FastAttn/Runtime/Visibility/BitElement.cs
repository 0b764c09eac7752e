using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>An element of a bit mask: 0 hides.</summary>
internal readonly unsafe struct BitElement : IMaskElement
{
    public static AttentionFeatures Feature => AttentionFeatures.BitMask;

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

    public static bool HidesFirst(void* row) => IsHidden((byte*)row, 0);

    /// <summary>Whole bytes of hidden keys are skipped at once.</summary>
    public static void Narrow(void* row, ref int start, ref int limit)
    {
        var bytes = (byte*)row;
        while (start < limit && IsHidden(bytes, limit - 1))
            limit -= limit % 8 == 0 && limit - start >= 8 && bytes[limit / 8 - 1] == 0 ? 8 : 1;
        while (start < limit && IsHidden(bytes, start))
            start += start % 8 == 0 && limit - start >= 8 && bytes[start / 8] == 0 ? 8 : 1;
    }

    private static bool IsHidden(byte* bytes, int key) => (bytes[key / 8] >> key % 8 & 1) == 0;
}
