using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>An element of an additive mask, times log₂(e): −∞ where it is, else at least the most negative float.</summary>
/// <remarks>That float is in use as a mask that does not hide: a row of nothing else has equal weights. So its product stays finite.</remarks>
internal readonly unsafe struct AdditiveElement : IMaskElement
{
    public static int Bits => FloatElement.Bits;

    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale)
    {
        Vector128<float> element = FloatElement.LoadFour(row, index, 1), hidden = Vector128.Create(float.NegativeInfinity);
        Vector128<float> product = Vector128.MaxNative(Vector128.Create(float.MinValue), element * scale);
        return Vector128.ConditionalSelect(Vector128.Equals(element, hidden), hidden, product);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> First, Vector128<float> Second, Vector128<float> Third, Vector128<float> Fourth) LoadColumns(
        void* a, void* b, void* c, void* d, long index, float scale) =>
        Transpose.Of(LoadFour(a, index, scale), LoadFour(b, index, scale), LoadFour(c, index, scale), LoadFour(d, index, scale));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale)
    {
        float element = FloatElement.Load(row, index, 1);
        return float.IsNegativeInfinity(element) ? element : Math.Max(float.MinValue, element * scale);
    }
}
