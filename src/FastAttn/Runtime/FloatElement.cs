using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>A float, times a factor.</summary>
internal readonly unsafe struct FloatElement : IMaskElement
{
    public static int Bits => 32;

    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale) => Vector128.Load((float*)row + index) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> First, Vector128<float> Second, Vector128<float> Third, Vector128<float> Fourth) LoadColumns(
        void* a, void* b, void* c, void* d, long index, float scale)
    {
        Vector128<float> va = LoadFour(a, index, scale), vb = LoadFour(b, index, scale), vc = LoadFour(c, index, scale), vd = LoadFour(d, index, scale);
        Transpose.InPlace(ref va, ref vb, ref vc, ref vd);
        return (va, vb, vc, vd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) => ((float*)row)[index] * scale;
}
