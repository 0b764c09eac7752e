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
        uint four = MemoryMarshal.Read<uint>(new((byte*)row + index, sizeof(uint)));
        Vector128<uint> wide = Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(four).AsByte()));
        return Vector128.Equals(wide, Vector128<uint>.Zero).AsSingle() & Vector128.Create(float.NegativeInfinity);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) => ((byte*)row)[index] == 0 ? float.NegativeInfinity : 0;
}
