using System;
using System.Runtime.InteropServices;

namespace FastAttn.Tests.Fixtures;

/// <summary>Modifiers of which one is read from given memory.</summary>
internal static class OverlappingModifiers
{
    /// <param name="read">The member's name.</param>
    /// <param name="from">The memory.</param>
    /// <param name="sequences">The batch.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keys">Keys of a mask's one row.</param>
    public static AttentionModifiers Of(string read, Span<float> from, int sequences, int heads, int keys)
    {
        AttentionMaskStrides strides = new(0, 0, 0, keys);
        return new()
        {
            AdditiveMask = read == "AdditiveMask" ? from : default,
            AdditiveMaskStrides = strides,
            BooleanMask = read == "BooleanMask" ? MemoryMarshal.Cast<float, bool>(from) : default,
            BooleanMaskStrides = strides,
            PackedMask = read == "PackedMask" ? MemoryMarshal.Cast<float, byte>(from) : default,
            PackedMaskStrides = strides,
            KeyLengths = read == "KeyLengths" ? MemoryMarshal.Cast<float, int>(from)[..sequences] : default,
            QueryLengths = read == "QueryLengths" ? MemoryMarshal.Cast<float, int>(from)[..sequences] : default,
            CausalOffsets = read == "CausalOffsets" ? MemoryMarshal.Cast<float, int>(from)[..sequences] : default,
            AlibiSlopes = read == "AlibiSlopes" ? from[..heads] : default,
            Sinks = read == "Sinks" ? from[..heads] : default,
        };
    }
}
