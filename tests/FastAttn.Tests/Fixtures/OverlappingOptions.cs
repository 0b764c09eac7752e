using System;
using System.Runtime.InteropServices;

namespace FastAttn.Tests.Fixtures;

/// <summary>Options of which one is read from given memory.</summary>
internal static class OverlappingOptions
{
    /// <param name="read">The member's name.</param>
    /// <param name="from">The memory.</param>
    /// <param name="sequences">The batch.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keys">Keys of a mask's one row.</param>
    public static AttentionOptions Of(string read, Span<float> from, int sequences, int heads, int keys)
    {
        AttentionMaskSizes row = new(1, 1, 1, keys);
        Span<int> integers = MemoryMarshal.Cast<float, int>(from);
        return read switch
        {
            "AdditiveMask" => new() { AdditiveMask = new(from, row) },
            "BooleanMask" => new() { BooleanMask = new(MemoryMarshal.Cast<float, bool>(from), row) },
            "BitMask" => new() { BitMask = new(MemoryMarshal.Cast<float, byte>(from), row) },
            "KeyLengths" => new() { KeyLengths = integers[..sequences] },
            "QueryLengths" => new() { QueryLengths = integers[..sequences] },
            "PositionOffsets" => new() { PositionOffsets = integers[..sequences] },
            "AlibiSlopes" => new() { AlibiSlopes = from[..heads] },
            "Sinks" => new() { Sinks = from[..heads] },
            _ => throw new ArgumentOutOfRangeException(nameof(read), read, message: null),
        };
    }
}
