using System;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>Makes of floats what pages keep. All that is appended passes here.</summary>
internal static class ElementRounding
{
    /// <summary>Rounds to the nearest number, to the even one of two. What is too large for a finite number becomes ±∞, and NaN stays NaN.</summary>
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
