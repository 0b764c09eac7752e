using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>The bytes that a call reads of a buffer, to be compared with what it writes.</summary>
/// <param name="start">The first byte.</param>
/// <param name="length">How many. Unlike spans of bytes these may be more than 2 GiB.</param>
/// <param name="scales">The scales of its elements that stand apart; empty for none.</param>
internal readonly ref struct ReadBuffer(ref readonly byte start, nuint length, ReadOnlySpan<float> scales = default)
{
    public readonly ref readonly byte Start = ref start;
    public readonly nuint Length = length;
    public readonly ReadOnlySpan<float> Scales = scales;

    public static implicit operator ReadBuffer(ReadOnlySpan<float> floats) =>
        new(in Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(floats)), (nuint)floats.Length * sizeof(float));
}
