using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>A byte: 0 hides.</summary>
internal readonly unsafe struct BooleanElement : IMaskElement
{
    public static int Bits => 8;

    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale)
    {
        Vector128<uint> wide = Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(Read(row, index)).AsByte()));
        return Vector128.Equals(wide, Vector128<uint>.Zero).AsSingle() & Vector128.Create(float.NegativeInfinity);
    }

    /// <summary>Transposed while an element is a byte, which is a quarter of the work.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> First, Vector128<float> Second, Vector128<float> Third, Vector128<float> Fourth) LoadColumns(
        void* a, void* b, void* c, void* d, long index, float scale)
    {
        Vector128<byte> rows = Vector128.Create(Read(a, index), Read(b, index), Read(c, index), Read(d, index)).AsByte();
        Vector128<byte> columns = Vector128.Shuffle(rows, Vector128.Create((byte)0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
        (Vector128<short> lower, Vector128<short> upper) = Vector128.Widen(Vector128.Equals(columns, Vector128<byte>.Zero).AsSByte());
        (Vector128<int> first, Vector128<int> second) = Vector128.Widen(lower);
        (Vector128<int> third, Vector128<int> fourth) = Vector128.Widen(upper);
        Vector128<float> hidden = Vector128.Create(float.NegativeInfinity);
        return (first.AsSingle() & hidden, second.AsSingle() & hidden, third.AsSingle() & hidden, fourth.AsSingle() & hidden);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) => ((byte*)row)[index] == 0 ? float.NegativeInfinity : 0;

    private static uint Read(void* row, long index) => MemoryMarshal.Read<uint>(new((byte*)row + index, sizeof(uint)));
}
