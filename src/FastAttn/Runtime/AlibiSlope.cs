using System;

namespace FastAttn.Runtime;

/// <summary>−log₂(e)·slope in two parts, so that its product with a distance is rounded where it is added alone, up to 4096 keys.</summary>
internal readonly struct AlibiSlope
{
    /// <summary>The first 12 bits: their product with 12 bits of a distance is exact.</summary>
    public readonly float High;

    /// <summary>The rest.</summary>
    public readonly float Low;

    /// <summary>Takes the slope as a caller gives it.</summary>
    public AlibiSlope(float slope)
    {
        const uint First12Bits = 0xFFFFF000;
        double exact = Math.Clamp(-VectorMath.Log2E * slope, float.MinValue, float.MaxValue);
        High = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)exact) & First12Bits);
        Low = (float)(exact - High);
    }
}
