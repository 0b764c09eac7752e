using System;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>Rounds floats to the elements that pages keep.</summary>
internal static class ElementRounding
{
    /// <summary>Rounds to nearest, ties to even. Numbers that round past the largest finite one become ±∞, and NaN stays NaN.</summary>
    /// <param name="element">What is kept.</param>
    /// <param name="source">The floats.</param>
    /// <param name="destination">Written: as many elements, of the bytes that such elements have.</param>
    public static void Round(AttentionElement element, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (element)
        {
            case AttentionElement.Float32:
                source.CopyTo(MemoryMarshal.Cast<byte, float>(destination));
                break;
            case AttentionElement.Float16:
                KeyValueQuantizer.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination));
                break;
            default:
                KeyValueQuantizer.ConvertToBFloat16(source, MemoryMarshal.Cast<byte, BFloat16>(destination));
                break;
        }
    }
}
