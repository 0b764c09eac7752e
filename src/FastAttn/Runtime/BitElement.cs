using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>A bit: 0 hides.</summary>
internal readonly unsafe struct BitElement : IMaskElement
{
    public static int Bits => 1;

    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale)
    {
        byte* bytes = (byte*)row + (index >> 3);
        int shift = (int)(index & 7);
        int bits = bytes[0] >> shift;
        if (shift > 4)
            bits |= bytes[1] << (8 - shift);
        Vector128<int> four = Vector128.Create(bits) & Vector128.Create(1, 2, 4, 8);
        return Vector128.Equals(four, Vector128<int>.Zero).AsSingle() & Vector128.Create(float.NegativeInfinity);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) =>
        (((byte*)row)[index >> 3] >> (int)(index & 7) & 1) == 0 ? float.NegativeInfinity : 0;
}
