using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>Writes ONNX models, right ones and wrong ones: nodes and initializers in protobuf's wire format.</summary>
internal sealed class OnnxBytes
{
    private readonly List<byte> _graph = [];

    /// <summary>A field of bytes: a message, a text, packed numbers.</summary>
    public static byte[] Field(int field, params byte[] bytes) => [.. Varint((ulong)field << 3 | 2), .. Varint((ulong)bytes.Length), .. bytes];

    /// <summary>A field of text.</summary>
    public static byte[] Field(int field, string text) => Field(field, Encoding.UTF8.GetBytes(text));

    /// <summary>A field that is an integer.</summary>
    public static byte[] Number(int field, long number) => [.. Varint((ulong)field << 3), .. Varint((ulong)number)];

    /// <summary>A field that is a float.</summary>
    public static byte[] Float(int field, float number) => [.. Varint((ulong)field << 3 | 5), .. BitConverter.GetBytes(number)];

    /// <summary>A tensor of float32.</summary>
    public static byte[] Tensor(string name, long[] shape, ReadOnlySpan<float> numbers) => Tensor(name, 1, shape, MemoryMarshal.AsBytes(numbers));

    /// <summary>A tensor of int64.</summary>
    public static byte[] Tensor(string name, long[] shape, ReadOnlySpan<long> numbers) => Tensor(name, 7, shape, MemoryMarshal.AsBytes(numbers));

    /// <summary>A tensor of any type as raw data.</summary>
    public static byte[] Tensor(string name, int type, long[] shape, ReadOnlySpan<byte> data) =>
        [.. shape.SelectMany(static size => Number(1, size)), .. Number(2, type), .. Field(8, name), .. Field(9, data.ToArray())];

    /// <summary>Adds an initializer.</summary>
    public OnnxBytes Initializer(byte[] tensor)
    {
        _graph.AddRange(Field(5, tensor));
        return this;
    }

    /// <summary>Adds a node.</summary>
    public OnnxBytes Node(string type, string[] inputs, string output, params byte[][] attributes)
    {
        _graph.AddRange(Field(1, [.. inputs.SelectMany(static input => Field(1, input)), .. Field(2, output), .. Field(3, $"{type}_{output}"), .. Field(4, type), .. attributes.SelectMany(static attribute => Field(5, attribute))]));
        return this;
    }

    /// <summary>Adds a node of a number or of integers that never change.</summary>
    public OnnxBytes Constant(string output, byte[] tensor) => Node("Constant", [], output, [.. Field(1, "value"), .. Field(5, tensor)]);

    /// <summary>The model.</summary>
    public byte[] ToBytes() => [.. Number(1, 8), .. Field(2, "tests"), .. Field(7, [.. _graph])];

    private static byte[] Varint(ulong number)
    {
        List<byte> bytes = [];
        for (; number >= 0x80; number >>= 7)
            bytes.Add((byte)(number | 0x80));
        bytes.Add((byte)number);
        return [.. bytes];
    }
}
