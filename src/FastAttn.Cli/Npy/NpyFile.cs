using System;
using System.Buffers.Binary;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Npy;

/// <summary>
/// Reads and writes NumPy's .npy files, versions 1.0 to 3.0 (NEP 1; numpy.lib.format), of little-endian float32 in C order only.
/// The sizes in a header are checked against the length of the file before memory is allocated.
/// </summary>
internal static class NpyFile
{
    private const int VersionOffset = 6;

    // A header of four axes has fewer than 200 bytes. NumPy itself accepts up to 10,000.
    private const int MaxHeaderLength = 65_535;

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads a whole file.</summary>
    /// <param name="file">At its beginning; its length is known.</param>
    /// <exception cref="InvalidDataException">It is not such a file; the message says what was found and what was expected.</exception>
    public static NpyArray Read(Stream file)
    {
        RequireLittleEndian();
        NpyHeader header = NpyHeader.Parse(ReadHeader(file));

        int[] shape = header.RequireSupported();
        long count = header.CountElements(), found = file.Length - file.Position, expected = sizeof(float) * count;
        if (found < expected)
            throw new InvalidDataException($"is truncated: has {found} bytes of data; shape {header.ShapeText} needs {expected}.");
        if (found > expected)
            throw new InvalidDataException($"has {found - expected} bytes after its data; shape {header.ShapeText} needs {expected} bytes.");

        float[] data = GC.AllocateUninitializedArray<float>((int)count);
        FloatStream.Read(file, data);
        return new NpyArray(shape, data);
    }

    /// <summary>Writes a file of version 1.0.</summary>
    /// <param name="file">Where to write.</param>
    /// <param name="array">The array.</param>
    public static void Write(Stream file, NpyArray array)
    {
        RequireLittleEndian();

        // The data begins at a multiple of 64 bytes; the header ends in spaces and a line feed.
        byte[] header = NpyHeader.Of(array.Shape).ToBytes();
        int preamble = VersionOffset + 2 + sizeof(ushort), padding = 63 - (preamble + header.Length) % 64;
        Span<byte> length = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)(header.Length + padding + 1));

        file.Write(Magic);
        file.Write([1, 0]);
        file.Write(length);
        file.Write(header);
        for (int i = 0; i < padding; i++)
            file.WriteByte((byte)' ');
        file.WriteByte((byte)'\n');
        FloatStream.Write(file, array.Data);
    }

    private static byte[] ReadHeader(Stream file)
    {
        Span<byte> start = stackalloc byte[VersionOffset + 2];
        if (file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) < start.Length || !start.StartsWith(Magic))
            throw new InvalidDataException("is not an .npy file: does not begin with \\x93NUMPY.");
        byte major = start[VersionOffset], minor = start[VersionOffset + 1];
        if (major is < 1 or > 3 || minor != 0)
            throw new InvalidDataException($"has .npy version {major}.{minor}; expected 1.0, 2.0 or 3.0.");

        Span<byte> lengthBytes = stackalloc byte[major == 1 ? sizeof(ushort) : sizeof(uint)];
        if (file.ReadAtLeast(lengthBytes, lengthBytes.Length, throwOnEndOfStream: false) < lengthBytes.Length)
            throw new InvalidDataException("is truncated within its header.");
        uint length = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(lengthBytes) : BinaryPrimitives.ReadUInt32LittleEndian(lengthBytes);
        if (length > MaxHeaderLength)
            throw new InvalidDataException($"has a header of {length} bytes; expected at most {MaxHeaderLength}.");
        if (length > file.Length - file.Position)
            throw new InvalidDataException($"is truncated within its header of {length} bytes.");

        byte[] header = new byte[length];
        file.ReadExactly(header);
        return header;
    }

    private static void RequireLittleEndian()
    {
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("Arrays are read and written on little-endian processors only.");
    }
}
