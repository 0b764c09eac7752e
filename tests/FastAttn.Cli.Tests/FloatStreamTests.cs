using System;
using System.Buffers.Binary;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Safetensors;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary>Arrays of more bytes than a span of bytes can have, without as much memory.</summary>
public sealed class FloatStreamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(8)]
    public void Parts_are_read_and_written_in_order(int part)
    {
        float[] numbers = [.. Enumerable.Range(1, 7).Select(i => i / 4f)], read = new float[7], halves = new float[7];
        using MemoryStream file = new(), halfFile = new(MemoryMarshal.AsBytes(numbers.Select(number => BitConverter.HalfToUInt16Bits((Half)number)).ToArray().AsSpan()).ToArray());
        FloatStream.Write(file, numbers, part);
        Assert.Equal(28, file.Length);
        file.Position = 0;

        FloatStream.Read(file, read, part);
        FloatStream.ReadHalves(halfFile, halves, static bits => (float)BitConverter.UInt16BitsToHalf(bits), part);

        Assert.Equal(numbers, read);
        Assert.Equal(numbers, halves);
    }

    [Theory]
    [InlineData(1 << 29)]
    [InlineData(0x7FFFFFC7)]
    public void Every_byte_of_the_longest_arrays_is_read_and_written(int length)
    {
        Assert.True(length <= Array.MaxLength);
        float none = 0;
        // The stream below does not touch what it is given, so that the span need not have memory.
        Span<float> numbers = MemoryMarshal.CreateSpan(ref none, length);
        using var file = new SparseStream(4L * length);

        FloatStream.Read(file, numbers);
        Assert.Equal(4L * length, file.Position);

        file.Position = 0;
        FloatStream.Write(file, numbers);
        Assert.Equal(4L * length, file.Position);
        Assert.Equal(0, none);
    }

    [Fact]
    public void A_tensor_behind_5_GiB_of_others_is_read()
    {
        const long Begin = 5L << 30;
        byte[] header = Encoding.UTF8.GetBytes(
            $$"""{"large": {"dtype": "F32", "shape": [1342177280], "data_offsets": [0, {{Begin}}]}, "small": {"dtype": "F32", "shape": [2], "data_offsets": [{{Begin}}, {{Begin + 8}}]}, "huge": {"dtype": "F16", "shape": [2147483592], "data_offsets": [{{Begin + 8}}, {{Begin + 8 + 2 * 2147483592L}}]} }""");
        byte[] start = new byte[8 + header.Length], numbers = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(start, header.Length);
        header.CopyTo(start, 8);
        BinaryPrimitives.WriteSingleLittleEndian(numbers, 1.5f);
        BinaryPrimitives.WriteSingleLittleEndian(numbers.AsSpan(4), -2.5f);
        using var stream = new SparseStream(start.Length + Begin + 8 + 2 * 2147483592L, (0, start), (start.Length + Begin, numbers));

        var file = new SafetensorsFile(stream);

        Assert.Equal([1.5f, -2.5f], file.Read(file.Tensors["small"]));
        Assert.Equal(
            "has tensor 'huge' of 2147483592 elements; 2147483591 are the most.",
            Assert.Throws<InvalidDataException>(() => file.Read(file.Tensors["huge"])).Message);
    }

    /// <summary>A file of any length that has bytes at some places; what lies between is not written to the buffer of a reader.</summary>
    private sealed class SparseStream(long length, params (long Offset, byte[] Bytes)[] pieces) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => length;

        public override long Position { get; set; }

        public override int Read(Span<byte> buffer)
        {
            long end = Math.Min(Position + buffer.Length, length);
            foreach ((long offset, byte[] bytes) in pieces)
            {
                long first = Math.Max(offset, Position), last = Math.Min(offset + bytes.Length, end);
                if (first < last)
                    bytes.AsSpan((int)(first - offset), (int)(last - first)).CopyTo(buffer[(int)(first - Position)..]);
            }

            int count = (int)(end - Position);
            Position = end;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => Position += buffer.Length;

        public override void Write(byte[] buffer, int offset, int count) => Position += count;

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Flush()
        {
        }
    }
}
