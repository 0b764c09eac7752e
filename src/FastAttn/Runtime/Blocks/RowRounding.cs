using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>
/// The one place that rounds floats to 16 bits: to nearest, ties to even. What is too large for a finite number becomes ±∞; NaN stays NaN. <see cref="RowWidening{TVector}"/> is the inverse.
/// </summary>
internal static class RowRounding
{
    /// <summary>Rounds a row to half precision or bfloat16.</summary>
    /// <param name="row">The floats.</param>
    /// <param name="element">Which of the two.</param>
    /// <param name="destination">Written: as many numbers.</param>
    public static unsafe void Round(ReadOnlySpan<float> row, AttentionElement element, byte* destination) => Round(row, element, new Span<byte>(destination, sizeof(ushort) * row.Length));

    /// <summary>As the other overload, to bytes of a span.</summary>
    /// <param name="row">The floats.</param>
    /// <param name="element">Which of the two.</param>
    /// <param name="destination">Written: two bytes for each; it may be longer.</param>
    public static void Round(ReadOnlySpan<float> row, AttentionElement element, Span<byte> destination)
    {
        if (element == AttentionElement.Float16)
            ToHalf(row, MemoryMarshal.Cast<byte, Half>(destination));
        else
            ToBFloat16(row, MemoryMarshal.Cast<byte, BFloat16>(destination));
    }

    /// <summary>Rounds to half precision.</summary>
    /// <param name="source">The floats.</param>
    /// <param name="destination">Written: as many halves; it may be longer.</param>
    public static void ToHalf(ReadOnlySpan<float> source, Span<Half> destination)
    {
        Span<ushort> bits = MemoryMarshal.Cast<Half, ushort>(destination);
        int i = 0, step = 2 * Vector<float>.Count;
        for (; i + step <= source.Length; i += step)
            Vector.Narrow(ToHalves(new Vector<float>(source[i..])), ToHalves(new Vector<float>(source[(i + Vector<float>.Count)..]))).CopyTo(bits[i..]);
        for (; i < source.Length; i++)
            destination[i] = (Half)source[i];
    }

    /// <summary>Rounds to bfloat16.</summary>
    /// <param name="source">The floats.</param>
    /// <param name="destination">Written: as many numbers; it may be longer.</param>
    public static void ToBFloat16(ReadOnlySpan<float> source, Span<BFloat16> destination)
    {
        Span<ushort> bits = MemoryMarshal.Cast<BFloat16, ushort>(destination);
        int i = 0, step = 2 * Vector<float>.Count;
        for (; i + step <= source.Length; i += step)
            Vector.Narrow(ToBFloat16s(new Vector<float>(source[i..])), ToBFloat16s(new Vector<float>(source[(i + Vector<float>.Count)..]))).CopyTo(bits[i..]);
        for (; i < source.Length; i++)
            destination[i] = (BFloat16)source[i];
    }

    /// <summary>A half's bits in the lower half of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> ToHalves(Vector<float> x)
    {
        // From 65520 on a number is rounded to ±∞; below 2⁻¹⁴ halves have a fixed point, to which the sum with 1/2 rounds the number.
        const uint Overflow = 0x477F_F000, LeastNormal = 0x3880_0000, OneHalf = 0x3F00_0000, Infinity = 0x7C00, QuietNaN = 0x7E00, FloatInfinity = 0x7F80_0000;
        const int Shift = 13;
        Vector<uint> bits = Vector.AsVectorUInt32(x), sign = bits & new Vector<uint>(0x8000_0000), a = bits ^ sign;

        // Half of what is cut off, minus 1 if the last bit that stays is even; and 112 less in the exponent.
        Vector<uint> normal = (a + new Vector<uint>(0xC800_0FFFu) + (a >> Shift & Vector<uint>.One)) >> Shift;
        Vector<uint> subnormal = Vector.AsVectorUInt32(Vector.AsVectorSingle(a) + new Vector<float>(0.5f)) - new Vector<uint>(OneHalf);
        Vector<uint> special = Vector.ConditionalSelect(Vector.GreaterThan(a, new Vector<uint>(FloatInfinity)), new Vector<uint>(QuietNaN), new Vector<uint>(Infinity));
        Vector<uint> finite = Vector.ConditionalSelect(Vector.LessThan(a, new Vector<uint>(LeastNormal)), subnormal, normal);
        return Vector.ConditionalSelect(Vector.GreaterThanOrEqual(a, new Vector<uint>(Overflow)), special, finite) | sign >> 16;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> ToBFloat16s(Vector<float> x)
    {
        Vector<uint> bits = Vector.AsVectorUInt32(x), rounded = (bits + new Vector<uint>(0x7FFF) + (bits >> 16 & Vector<uint>.One)) >> 16;
        Vector<uint> isNumber = Vector.AsVectorUInt32(Vector.Equals(x, x));
        return Vector.ConditionalSelect(isNumber, rounded, bits >> 16 | new Vector<uint>(0x40));
    }
}
