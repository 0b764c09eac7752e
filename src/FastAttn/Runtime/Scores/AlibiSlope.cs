using System;

namespace FastAttn.Runtime;

/// <summary>−slope as the sum of two floats. Products of the first with distances up to 4096 are exact, so that only sums are rounded.</summary>
internal readonly struct AlibiSlope
{
    /// <summary>Its first 12 significant bits.</summary>
    public readonly float High;

    /// <summary>The rest.</summary>
    public readonly float Low;

    /// <summary>Takes the two floats.</summary>
    public AlibiSlope(float high, float low)
    {
        High = high;
        Low = low;
    }

    /// <summary>Splits the slope that a caller gives.</summary>
    public AlibiSlope(float slope)
    {
        const uint First12Bits = 0xFFFFF000;
        High = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(-slope) & First12Bits);
        Low = -slope - High;
    }
}
