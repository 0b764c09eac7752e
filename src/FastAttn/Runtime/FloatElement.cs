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
        void* a, void* b, void* c, void* d, long index, float scale) =>
        Transpose.Of(LoadFour(a, index, scale), LoadFour(b, index, scale), LoadFour(c, index, scale), LoadFour(d, index, scale));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) => ((float*)row)[index] * scale;
}
