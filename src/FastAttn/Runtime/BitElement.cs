using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>A bit: 0 hides.</summary>
internal readonly unsafe struct BitElement : IMaskElement
{
    public static int Bits => 1;

    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale) =>
        Hidden(Vector128.Create(Read(row, index)), Vector128.Create(1, 2, 4, 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> First, Vector128<float> Second, Vector128<float> Third, Vector128<float> Fourth) LoadColumns(
        void* a, void* b, void* c, void* d, long index, float scale)
    {
        Vector128<int> rows = Vector128.Create(Read(a, index), Read(b, index), Read(c, index), Read(d, index));
        return (Hidden(rows, Vector128.Create(1)), Hidden(rows, Vector128.Create(2)), Hidden(rows, Vector128.Create(4)), Hidden(rows, Vector128.Create(8)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) =>
        (((byte*)row)[index >> 3] >> (int)(index & 7) & 1) == 0 ? float.NegativeInfinity : 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Hidden(Vector128<int> bits, Vector128<int> bit) =>
        Vector128.Equals(bits & bit, Vector128<int>.Zero).AsSingle() & Vector128.Create(float.NegativeInfinity);

    /// <summary>Four bits, which may lie in two bytes, in the lowest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Read(void* row, long index)
    {
        byte* bytes = (byte*)row + (index >> 3);
        int shift = (int)(index & 7);
        int bits = bytes[0] >> shift;
        return shift > 4 ? bits | bytes[1] << (8 - shift) : bits;
    }
}
