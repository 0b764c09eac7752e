using System;

namespace FastAttn.Tests.Oracle;

/// <summary>The nearest bfloat16 number by comparing distances to both neighbours in double.</summary>
internal static class BFloat16Rounding
{
    /// <summary>The upper 16 bits of the nearest number's float; of two, those of the even one.</summary>
    /// <param name="value">A finite number.</param>
    public static ushort NearestBits(float value)
    {
        int lower = BitConverter.SingleToInt32Bits(value) >> 16;
        double below = Math.Abs(value - (double)Value(lower)), above = Math.Abs(Above(lower) - value);
        bool isUp = above < below || (above == below && lower % 2 != 0);
        return (ushort)(isUp ? lower + 1 : lower);
    }

    public static float Value(int bits) => BitConverter.Int32BitsToSingle(bits << 16);

    // Where ±∞ follows the largest number, 2^128 would.
    private static double Above(int bits) => double.IsInfinity(Value(bits + 1)) ? Math.CopySign(Math.ScaleB(1, 128), Value(bits)) : Value(bits + 1);
}
