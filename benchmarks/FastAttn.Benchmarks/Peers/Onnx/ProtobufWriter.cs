using System;
using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>Writes the fields of one protobuf message (protobuf.dev/programming-guides/encoding).</summary>
internal sealed class ProtobufWriter
{
    private const int Varint = 0, LengthDelimited = 2, Fixed32 = 5;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();

    public ProtobufWriter Integer(int field, long value)
    {
        Tag(field, Varint);
        Number((ulong)value);
        return this;
    }

    public ProtobufWriter Single(int field, float value)
    {
        Tag(field, Fixed32);
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        _bytes.Write(bytes);
        return this;
    }

    public ProtobufWriter Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    public ProtobufWriter Message(int field, ProtobufWriter message) => Bytes(field, message._bytes.WrittenSpan);

    public ProtobufWriter Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Tag(field, LengthDelimited);
        Number((ulong)bytes.Length);
        _bytes.Write(bytes);
        return this;
    }

    private void Tag(int field, int kind) => Number((ulong)field << 3 | (uint)kind);

    // A byte holds seven bits, the lowest first. Its top bit says whether more bytes follow.
    private void Number(ulong value)
    {
        for (; value > 0x7F; value >>= 7)
            _bytes.Write([(byte)(value | 0x80)]);
        _bytes.Write([(byte)value]);
    }
}
