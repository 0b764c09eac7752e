using System;
using System.IO;
using System.Runtime.InteropServices;

namespace FastAttn.Embeddings.Files;

/// <summary>Reads and writes arrays of float32 of any length. They go in parts, since 2^29 floats have more bytes than one span of bytes can.</summary>
internal static class FloatStream
{
    /// <summary>Floats in a part. Parts of more than 16 MiB are no faster.</summary>
    public const int Part = 1 << 22;

    /// <summary>Fills an array with the next bytes of a file.</summary>
    /// <param name="file">At the first number.</param>
    /// <param name="numbers">Written.</param>
    /// <param name="part">Floats that are read at once.</param>
    /// <exception cref="EndOfStreamException">The file ends before.</exception>
    public static void Read(Stream file, Span<float> numbers, int part = Part)
    {
        for (Span<float> rest = numbers; !rest.IsEmpty; rest = rest[Math.Min(part, rest.Length)..])
            file.ReadExactly(MemoryMarshal.AsBytes(rest[..Math.Min(part, rest.Length)]));
    }

    /// <summary>As <see cref="Read"/>, for numbers of 16 bits: bfloat16 or float16.</summary>
    /// <param name="file">At the first number.</param>
    /// <param name="numbers">Written.</param>
    /// <param name="widen">Returns the float32 for the 16 bits of a number.</param>
    /// <param name="part">Numbers that are read at once.</param>
    public static void ReadHalves(Stream file, Span<float> numbers, Func<ushort, float> widen, int part = Part)
    {
        var halves = new ushort[Math.Min(part, numbers.Length)];
        for (Span<float> rest = numbers; !rest.IsEmpty; rest = rest[Math.Min(part, rest.Length)..])
        {
            Span<ushort> read = halves.AsSpan(0, Math.Min(part, rest.Length));
            file.ReadExactly(MemoryMarshal.AsBytes(read));
            for (int i = 0; i < read.Length; i++)
                rest[i] = widen(read[i]);
        }
    }

    /// <summary>Writes an array.</summary>
    /// <param name="file">Where to write.</param>
    /// <param name="numbers">The numbers.</param>
    /// <param name="part">Floats that are written at once.</param>
    public static void Write(Stream file, ReadOnlySpan<float> numbers, int part = Part)
    {
        for (ReadOnlySpan<float> rest = numbers; !rest.IsEmpty; rest = rest[Math.Min(part, rest.Length)..])
            file.Write(MemoryMarshal.AsBytes(rest[..Math.Min(part, rest.Length)]));
    }
}
