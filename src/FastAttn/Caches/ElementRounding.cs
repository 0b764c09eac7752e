using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FastAttn;

/// <summary>
/// Rounds floats to what a cache keeps: to the nearest number, to the even one of two. What is too large for a finite number becomes ±∞, and NaN stays NaN. All that is
/// appended to pages passes here.
/// </summary>
internal static class ElementRounding
{
    private const uint Sign = 0x8000_0000, Infinity = 0x7F80_0000;

    /// <summary>Rounds.</summary>
    /// <param name="element">What is kept.</param>
    /// <param name="source">The floats.</param>
    /// <param name="destination">Written: as many elements, of the bytes that such an element has.</param>
    public static void Round(AttentionElement element, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (element)
        {
            case AttentionElement.Float32:
                source.CopyTo(MemoryMarshal.Cast<byte, float>(destination));
                break;
            case AttentionElement.Float16:
                RoundToHalf(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            default:
                RoundToBFloat16(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
        }
    }

    private static void RoundToHalf(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        int i = 0;
        for (; i + Vector128<ushort>.Count <= source.Length; i += Vector128<ushort>.Count)
            Vector128.Narrow(ToHalf(Bits(source, i)), ToHalf(Bits(source, i + Vector128<uint>.Count))).CopyTo(destination[i..]);
        for (; i < source.Length; i++)
            destination[i] = BitConverter.HalfToUInt16Bits((Half)source[i]);
    }

    private static void RoundToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        int i = 0;
        for (; i + Vector128<ushort>.Count <= source.Length; i += Vector128<ushort>.Count)
            Vector128.Narrow(ToBFloat16(Bits(source, i)), ToBFloat16(Bits(source, i + Vector128<uint>.Count))).CopyTo(destination[i..]);
        for (; i < source.Length; i++)
            destination[i] = Unsafe.BitCast<BFloat16, ushort>((BFloat16)source[i]);
    }

    private static Vector128<uint> Bits(ReadOnlySpan<float> source, int first) => Vector128.Create(source[first..]).AsUInt32();

    /// <summary>The bits of the nearest halves, as conversions to <see cref="Half"/> give them.</summary>
    private static Vector128<uint> ToHalf(Vector128<uint> bits)
    {
        // Normal numbers: the exponent's bias is 15 instead of 127, and half of what is cut off is added, less 1 where the last bit that stays is even. What is rounded up
        // past the largest half gets the bits of ∞.
        Vector128<uint> sign = bits & Vector128.Create(Sign), magnitude = bits ^ sign;
        Vector128<uint> odd = (magnitude >> 13) & Vector128<uint>.One;
        Vector128<uint> result = (magnitude - Vector128.Create(112u << 23) + Vector128.Create(0xFFFu) + odd) >> 13;

        // Below 2⁻¹⁴, the least normal half, halves are multiples of 2⁻²⁴, which is the ulp of floats from 1/2 on: adding 1/2 rounds to them.
        Vector128<float> half = Vector128.Create(0.5f);
        Vector128<uint> subnormal = (magnitude.AsSingle() + half).AsUInt32() - half.AsUInt32();
        result = Vector128.ConditionalSelect(Vector128.LessThan(magnitude, Vector128.Create(113u << 23)), subnormal, result);

        // From 2¹⁶ on, and NaN, which becomes quiet.
        Vector128<uint> nan = Vector128.Create(0x7E00u) | ((magnitude >> 13) & Vector128.Create(0x3FFu));
        Vector128<uint> large = Vector128.ConditionalSelect(Vector128.GreaterThan(magnitude, Vector128.Create(Infinity)), nan, Vector128.Create(0x7C00u));
        result = Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(143u << 23)), large, result);
        return result | sign >> 16;
    }

    /// <summary>The bits of the nearest bfloat16 numbers, as conversions to <see cref="BFloat16"/> give them.</summary>
    private static Vector128<uint> ToBFloat16(Vector128<uint> bits)
    {
        Vector128<uint> upper = bits >> 16, rounded = (bits + Vector128.Create(0x7FFFu) + (upper & Vector128<uint>.One)) >> 16;
        Vector128<uint> isNan = Vector128.GreaterThan(bits & Vector128.Create(~Sign), Vector128.Create(Infinity));
        return Vector128.ConditionalSelect(isNan, upper | Vector128.Create(0x40u), rounded);
    }
}
