using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// A float of an additive mask, in units of log₂. Finite ones stay finite: the most negative float is in use as a mask
/// that does not hide (a row of nothing else has equal weights), and would become −∞.
/// </summary>
internal readonly unsafe struct AdditiveElement : IMaskElement
{
    public static int Bits => 32;

    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale)
    {
        Vector128<float> element = Vector128.Load((float*)row + index);
        Vector128<float> clamped = Vector128.MinNative(Vector128.Create(float.MaxValue), Vector128.MaxNative(Vector128.Create(float.MinValue), element * scale));
        return Vector128.ConditionalSelect(Vector128.Equals(Vector128.Abs(element), Vector128.Create(float.PositiveInfinity)), element, clamped);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale)
    {
        float element = ((float*)row)[index];
        return float.IsInfinity(element) ? element : Math.Clamp(element * scale, float.MinValue, float.MaxValue);
    }
}
