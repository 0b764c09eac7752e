using System;
using System.Globalization;
using System.Runtime.CompilerServices;

using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>bfloat16 numbers: the upper halves of floats.</summary>
public static class BFloat16Tests
{
    [Fact]
    public static void Every_number_is_its_float_and_comes_back()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float value = (float)Of(bits);
            Assert.Equal(bits << 16, BitConverter.SingleToInt32Bits(value));

            // A NaN that signals becomes quiet.
            Assert.Equal(float.IsNaN(value) ? bits | 0x40 : bits, Bits((BFloat16)value));
        }
    }

    [Fact]
    public static void Floats_are_rounded_to_the_nearest_and_halfway_to_the_even()
    {
        for (int upper = 0; upper <= ushort.MaxValue; upper++)
        {
            foreach (int lower in (ReadOnlySpan<int>)[1, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
            {
                float value = BitConverter.Int32BitsToSingle(upper << 16 | lower);
                if (float.IsNaN(value))
                    Assert.True(float.IsNaN((float)(BFloat16)value), $"{upper:X4}{lower:X4} is NaN.");
                else
                    Assert.Equal(BFloat16Rounding.NearestBits(value), Bits((BFloat16)value));
            }
        }
    }

    [Fact]
    public static void Numbers_are_equal_as_floats_are()
    {
        BFloat16 one = (BFloat16)1f, nan = (BFloat16)float.NaN, otherNan = (BFloat16)(-float.NaN), zero = (BFloat16)0f, minusZero = (BFloat16)(-0f);
        Assert.True(one == (BFloat16)1f && one != zero && zero == minusZero && nan != otherNan);
        Assert.True(nan.Equals(otherNan) && zero.Equals(minusZero) && !one.Equals(zero) && one.Equals((object)(BFloat16)1f) && !one.Equals(1f));
        Assert.Equal(zero.GetHashCode(), minusZero.GetHashCode());
    }

    [Fact]
    public static void Numbers_are_written_as_floats_are()
    {
        Assert.Equal("1.5", ((BFloat16)1.5f).ToString(null, CultureInfo.InvariantCulture));
        Assert.Equal("1,50", ((BFloat16)1.5f).ToString("F2", new NumberFormatInfo { NumberDecimalSeparator = "," }));
        Assert.Equal(1.5f.ToString(CultureInfo.CurrentCulture), ((BFloat16)1.5f).ToString());
    }

    private static BFloat16 Of(int bits) => Unsafe.BitCast<ushort, BFloat16>((ushort)bits);

    private static int Bits(BFloat16 value) => Unsafe.BitCast<BFloat16, ushort>(value);
}
