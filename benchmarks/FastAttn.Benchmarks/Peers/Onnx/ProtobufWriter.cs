using System;
using System.Collections.Generic;
using System.Text;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>Writes the few kinds of protobuf field that an ONNX model of one node has.</summary>
internal sealed class ProtobufWriter
{
    private const int Varint = 0, LengthDelimited = 2;

    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    public ProtobufWriter Integer(int field, long value)
    {
        Number((ulong)(field << 3 | Varint));
        Number((ulong)value);
        return this;
    }

    public ProtobufWriter Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    public ProtobufWriter Message(int field, ProtobufWriter message) => Bytes(field, message.ToArray());

    private ProtobufWriter Bytes(int field, byte[] bytes)
    {
        Number((ulong)(field << 3 | LengthDelimited));
        Number((ulong)bytes.Length);
        _bytes.AddRange(bytes);
        return this;
    }

    // Seven bits a byte, the lowest first; the top bit says that more follow.
    private void Number(ulong value)
    {
        for (; value > 0x7F; value >>= 7)
            _bytes.Add((byte)(value | 0x80));
        _bytes.Add((byte)value);
    }
}
