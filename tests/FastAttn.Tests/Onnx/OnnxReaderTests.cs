using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

using Xunit;

namespace FastAttn.Tests.Onnx;

/// <summary>The reader of models and tensors, on bytes written out by hand as the encoding of protobuf says.</summary>
public static class OnnxReaderTests
{
    [Fact]
    public static void Numbers_are_read_from_raw_data()
    {
        Assert.Equal([1, -2], Tensor(OnnxElementType.Float32, 2, Field(9, [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])).Numbers);
        Assert.Equal([0.5], Tensor(OnnxElementType.Float64, 1, Field(9, [0, 0, 0, 0, 0, 0, 0xE0, 0x3F])).Numbers);
        Assert.Equal([1, 65504], Tensor(OnnxElementType.Float16, 2, Field(9, [0x00, 0x3C, 0xFF, 0x7B])).Numbers);
        Assert.Equal([1, -3], Tensor(OnnxElementType.BFloat16, 2, Field(9, [0x80, 0x3F, 0x40, 0xC0])).Numbers);
        Assert.Equal([1, 0, 1], Tensor(OnnxElementType.Bool, 3, Field(9, [1, 0, 1])).Numbers);
        Assert.Equal([-2], Tensor(OnnxElementType.Int64, 1, Field(9, [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])).Numbers);
        Assert.Equal([-2, 3], Tensor(OnnxElementType.Int32, 2, Field(9, [0xFE, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0])).Numbers);
    }

    /// <summary>Packed, as protobuf 3 writes them, and one by one.</summary>
    [Fact]
    public static void Numbers_are_read_from_fields_of_their_type()
    {
        Assert.Equal([1, -2], Tensor(OnnxElementType.Float32, 2, Field(4, [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])).Numbers);
        Assert.Equal([1, -2], Tensor(OnnxElementType.Float32, 2, [(4 << 3) | 5, 0, 0, 0x80, 0x3F, (4 << 3) | 5, 0, 0, 0, 0xC0]).Numbers);
        Assert.Equal([300, -1], Tensor(OnnxElementType.Int64, 2, Field(7, [0xAC, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01])).Numbers);
        Assert.Equal([300], Tensor(OnnxElementType.Int32, 1, [5 << 3, 0xAC, 0x02]).Numbers);
        Assert.Equal([1, 0], Tensor(OnnxElementType.Bool, 2, Field(5, [1, 0])).Numbers);
        Assert.Equal([0.5], Tensor(OnnxElementType.Float64, 1, Field(10, [0, 0, 0, 0, 0, 0, 0xE0, 0x3F])).Numbers);

        // 16-bit floats are the bits of integers there: 0x3C00 and 0x3F80.
        Assert.Equal([1], Tensor(OnnxElementType.Float16, 1, Field(5, [0x80, 0x78])).Numbers);
        Assert.Equal([1], Tensor(OnnxElementType.BFloat16, 1, Field(5, [0x80, 0x7F])).Numbers);
    }

    [Fact]
    public static void Tensor_that_is_not_understood_is_refused()
    {
        Assert.Contains("3 elements", Assert.ThrowsAny<Exception>(() => Tensor(OnnxElementType.Bool, 2, Field(9, [1, 1, 1]))).Message, StringComparison.Ordinal);
        Assert.Contains("type 17", Assert.ThrowsAny<Exception>(() => Tensor((OnnxElementType)17, 1, Field(9, [1]))).Message, StringComparison.Ordinal);
        Assert.Contains("field 13", Assert.ThrowsAny<Exception>(() => Tensor(OnnxElementType.Bool, 1, Field(13, [1]))).Message, StringComparison.Ordinal);
        Assert.Contains("announced", Assert.ThrowsAny<Exception>(() => OnnxTensor.Parse([(9 << 3) | 2, 5, 1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void Numbers_are_rounded_as_their_type_stores_them()
    {
        // Halfway between two neighbours, the even one.
        Assert.Equal(1, OnnxTensor.Round(1 + 1.0 / 256, OnnxElementType.BFloat16));
        Assert.Equal(1 + 2.0 / 128, OnnxTensor.Round(1 + 3.0 / 256, OnnxElementType.BFloat16));
        Assert.Equal(double.PositiveInfinity, OnnxTensor.Round(3.4e38, OnnxElementType.BFloat16));
        Assert.Equal(double.NaN, OnnxTensor.Round(double.NaN, OnnxElementType.BFloat16));
        Assert.Equal(1, OnnxTensor.Round(1 + 1.0 / 2048, OnnxElementType.Float16));
        Assert.Equal(1, OnnxTensor.Round(1 + 1e-9, OnnxElementType.Float32));
        Assert.Equal(1 + 1e-9, OnnxTensor.Round(1 + 1e-9, OnnxElementType.Float64));
    }

    [Fact]
    public static void Node_is_read_with_its_inputs_attributes_and_version()
    {
        OnnxNode node = OnnxNode.ParseModel(Model(24, Attention(["Q", "", "V"], [Float("scale", 0.5f), Int("is_causal", 1), Int("left_window_size", -1)])));
        Assert.Equal(("Attention", string.Empty, 24), (node.Operator, node.Domain, node.Version));
        Assert.Equal(["Q", "", "V"], node.Inputs);
        Assert.Equal(["Y"], node.Outputs);
        Assert.Equal([("is_causal", (object)1L), ("left_window_size", -1L), ("scale", 0.5f)], node.Attributes.Select(static pair => (pair.Key, pair.Value)).OrderBy(static pair => pair.Key, StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(24, "left_window_size", "left_window_size")]
    [InlineData(25, "tree_mask", "tree_mask")]
    [InlineData(22, "is_causal", "22")]
    [InlineData(26, "is_causal", "26")]
    public static void Attribute_or_version_that_is_not_known_is_refused_by_name(int version, string attribute, string named)
    {
        OnnxNode node = OnnxNode.ParseModel(Model(version, Attention(["Q", "K", "V"], [Int(attribute, 0)])));
        var tensor = new OnnxTensor("", OnnxElementType.Float32, [1, 1, 1, 1], [1]);
        var inputs = new Dictionary<string, OnnxTensor>(StringComparer.Ordinal) { ["Q"] = tensor, ["K"] = tensor, ["V"] = tensor };
        Assert.Contains(named, Assert.Throws<NotSupportedException>(() => new OnnxAttention(new("case", node, inputs, [("Y", tensor)]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void Model_of_several_nodes_is_refused()
    {
        byte[] node = Attention(["Q", "K", "V"], []);
        Assert.Contains("2 nodes", Assert.Throws<NotSupportedException>(() => OnnxNode.ParseModel(Model(23, node, node))).Message, StringComparison.Ordinal);
    }

    private static OnnxTensor Tensor(OnnxElementType type, int count, byte[] data) => OnnxTensor.Parse([1 << 3, (byte)count, 2 << 3, (byte)type, .. Field(8, "x"u8), .. data]);

    private static byte[] Model(int version, params byte[][] nodes) =>
        [1 << 3, 8, .. Field(7, [.. nodes.SelectMany(static node => Field(1, node))]), .. Field(8, [.. Field(1, []), 2 << 3, (byte)version])];

    private static byte[] Attention(string[] inputs, byte[][] attributes) =>
        [.. inputs.SelectMany(static name => Field(1, Encoding.UTF8.GetBytes(name))), .. Field(2, "Y"u8), .. Field(4, "Attention"u8), .. attributes.SelectMany(static attribute => Field(5, attribute))];

    private static byte[] Int(string name, long value)
    {
        var bytes = new List<byte>();
        for (ulong rest = (ulong)value; ; rest >>= 7)
        {
            bytes.Add((byte)(rest < 0x80 ? rest : rest | 0x80));
            if (rest < 0x80)
                return [.. Field(1, Encoding.UTF8.GetBytes(name)), 3 << 3, .. bytes, 0xA0, 0x01, 2];
        }
    }

    private static byte[] Float(string name, float value) => [.. Field(1, Encoding.UTF8.GetBytes(name)), (2 << 3) | 5, .. BitConverter.GetBytes(value), 0xA0, 0x01, 1];

    private static byte[] Field(int number, ReadOnlySpan<byte> bytes) => [(byte)((number << 3) | 2), (byte)bytes.Length, .. bytes];
}
