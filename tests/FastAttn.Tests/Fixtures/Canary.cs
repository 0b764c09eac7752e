using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>What stands in buffers that nothing has written yet.</summary>
internal static class Canary
{
    /// <summary>Bits that no kernel computes: a NaN of its own.</summary>
    public static readonly float Value = BitConverter.Int32BitsToSingle(0x7FC0_CA9A);

    public static bool Is(float value) => BitConverter.SingleToInt32Bits(value) == BitConverter.SingleToInt32Bits(Value);
}
