using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>The bytes of a buffer that a call reads, to be compared with what it writes.</summary>
/// <param name="start">The first byte.</param>
/// <param name="length">How many. Unlike spans of bytes these may be more than 2 GiB.</param>
/// <param name="scalesStart">The first byte of the elements' separately stored scales; null for none.</param>
/// <param name="scalesLength">How many bytes these have.</param>
internal readonly ref struct ReadBuffer(ref readonly byte start, nuint length, ref readonly byte scalesStart, nuint scalesLength)
{
    public readonly ref readonly byte Start = ref start;
    public readonly nuint Length = length;
    public readonly ref readonly byte ScalesStart = ref scalesStart;
    public readonly nuint ScalesLength = scalesLength;

    public static implicit operator ReadBuffer(ReadOnlySpan<float> floats) =>
        new(in Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(floats)), (nuint)floats.Length * sizeof(float), in Unsafe.NullRef<byte>(), 0);
}
