using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>What is appended is rounded to the nearest number and halfway to the even one, in vectors as in what is left of a row.</summary>
public static class ElementRoundingTests
{
    // Beside the bits of every half, and of every upper half of a float: what stands before, at and after the middle of two neighbours.
    private static readonly uint[] Tails = [0, 1, 0x0FFF, 0x1000, 0x1001, 0x1FFF];

    [Fact]
    public static void Halves_are_those_of_the_framework()
    {
        // The neighbours of a half, halfway between them, and all numbers beyond: signs, subnormal ones, ±∞ and NaN among them.
        float[] numbers = [.. Enumerable.Range(0, 1 << 19).SelectMany(static upper => Tails.Select(tail => BitConverter.UInt32BitsToSingle((uint)upper << 13 | tail)))];
        ushort[] rounded = Round(AttentionElement.Float16, numbers);
        for (int i = 0; i < numbers.Length; i++)
        {
            if (rounded[i] != BitConverter.HalfToUInt16Bits((Half)numbers[i]))
                Assert.Fail($"{numbers[i]:R} ({BitConverter.SingleToUInt32Bits(numbers[i]):X8}) became {rounded[i]:X4}, not {BitConverter.HalfToUInt16Bits((Half)numbers[i]):X4}.");
        }
    }

    [Fact]
    public static void Halfway_between_two_halves_is_the_even_one()
    {
        // 1 + 2⁻¹¹ is between 1 and 1 + 2⁻¹⁰, 1 + 3·2⁻¹¹ between that and 1 + 2⁻⁹; 65520 is as near to 2¹⁶, which is ∞, as to the largest half.
        float[] numbers = [1 + MathF.ScaleB(1, -11), 1 + MathF.ScaleB(3, -11), 65519, 65520, MathF.ScaleB(1, -25), MathF.ScaleB(3, -25), -MathF.ScaleB(1.5f, -25), -0f];
        Assert.Equal([0x3C00, 0x3C02, 0x7BFF, 0x7C00, 0, 2, 0x8001, 0x8000], Round(AttentionElement.Float16, numbers));
    }

    [Fact]
    public static void Bfloat16_numbers_are_the_nearest()
    {
        float[] numbers = [.. Enumerable.Range(0, 1 << 16).SelectMany(static upper => ((int[])[0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF]).Select(lower => BitConverter.Int32BitsToSingle(upper << 16 | lower)))];
        ushort[] rounded = Round(AttentionElement.BFloat16, numbers);
        for (int i = 0; i < numbers.Length; i++)
        {
            if (float.IsNaN(numbers[i]) ? !float.IsNaN(BFloat16Rounding.Value(rounded[i])) : rounded[i] != (float.IsFinite(numbers[i]) ? BFloat16Rounding.NearestBits(numbers[i]) : BitConverter.SingleToUInt32Bits(numbers[i]) >> 16))
                Assert.Fail($"{numbers[i]:R} ({BitConverter.SingleToUInt32Bits(numbers[i]):X8}) became {rounded[i]:X4}.");
        }
    }

    [Theory]
    [InlineData(AttentionElement.Float32)]
    [InlineData(AttentionElement.Float16)]
    [InlineData(AttentionElement.BFloat16)]
    public static void A_row_of_any_length_has_the_numbers_that_each_has_alone(AttentionElement element)
    {
        float[] numbers = [1 / 3f, -2 / 3f, float.NaN, 1e-6f, float.NegativeInfinity, 1e6f, -1e-39f, 7, 1.0005f, -300.3f, 3e38f, 5, 6, 7, 8, 9, 1 / 7f];
        for (int length = 0; length <= numbers.Length; length++)
        {
            byte[] row = Bytes(element, numbers[..length]);
            Assert.Equal(numbers[..length].SelectMany(number => Bytes(element, [number])), row);
        }
    }

    private static ushort[] Round(AttentionElement element, float[] numbers) => MemoryMarshal.Cast<byte, ushort>(Bytes(element, numbers)).ToArray();

    private static byte[] Bytes(AttentionElement element, float[] numbers)
    {
        var bytes = new byte[AttentionInput.BytesOf(element, numbers.Length)];
        ElementRounding.Round(element, numbers, bytes);
        return bytes;
    }
}
