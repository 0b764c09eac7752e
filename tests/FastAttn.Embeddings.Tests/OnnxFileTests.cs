using System;
using System.IO;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Loading;
using FastAttn.Embeddings.Onnx;
using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>An ONNX file gives the same model as the checkpoint that it was exported from; what it does not have is an error that says so.</summary>
public static class OnnxFileTests
{
    private static readonly int[][] Sequences = [[2, 5, 6, 7, 3], [2, 3]];

    [Theory]
    [InlineData((int)TinyOnnx.Linear.MatMul)]
    [InlineData((int)TinyOnnx.Linear.Transpose)]
    [InlineData((int)TinyOnnx.Linear.Gemm)]
    public static void A_graph_by_itself_gives_the_model_of_the_checkpoint(int linear)
    {
        using TinyBert tiny = new(), exported = new();
        File.WriteAllBytes(exported.PathOf("alone.onnx"), TinyOnnx.Write(exported, (TinyOnnx.Linear)linear));
        EncoderModel expected = EncoderModel.Load(tiny.Save().Folder), model = EncoderModel.Load(exported.PathOf("alone.onnx"));
        Assert.Equal(expected.Configuration, model.Configuration);
        Assert.Equal(OnnxRuntimeTests.Encode(expected, Sequences), OnnxRuntimeTests.Encode(model, Sequences));
    }

    [Theory]
    [InlineData("model.onnx", "")]
    [InlineData("onnx/model.onnx", "")]
    [InlineData("onnx/model.onnx", "onnx/model.onnx")]
    [InlineData("onnx/other.onnx", "onnx/other.onnx")]
    public static void A_configuration_is_found_beside_the_graph_or_above_its_folder(string file, string path)
    {
        // The graph shows GELU; only the configuration says ReLU.
        using var tiny = new TinyBert();
        Directory.CreateDirectory(tiny.PathOf("onnx"));
        tiny.Configure("hidden_act", "\"relu\"").SaveConfiguration();
        File.WriteAllBytes(tiny.PathOf(file), TinyOnnx.Write(tiny));
        EncoderModel model = EncoderModel.Load(tiny.PathOf(path));
        Assert.Equal(Activation.Relu, model.Configuration.Activation);
        Assert.Equal(Path.GetFileName(tiny.Folder), model.Name);
        EncoderModelTests.AssertFormula(EncoderModelTests.Oracle(tiny, static x => Math.Max(x, 0)), model, Sequences);
    }

    [Theory]
    [InlineData("num_attention_heads")]
    [InlineData("hidden_act")]
    [InlineData("layer_norm_eps")]
    public static void A_graph_that_shows_two_values_needs_a_configuration(string entry)
    {
        using var tiny = new TinyBert();
        File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny, change: graph => _ = entry switch
        {
            "num_attention_heads" => graph.Initializer(OnnxBytes.Tensor("other", [4], [0L, 0, 2, TinyBert.Hidden / 2])).Node("Reshape", ["key", "other"], "otherHeads"),
            "hidden_act" => graph.Node("Gelu", ["x"], "gelu", [.. OnnxBytes.Field(1, "approximate"), .. OnnxBytes.Field(4, "tanh")]),
            _ => graph.Node("LayerNormalization", ["x"], "norm"),
        }));
        ShouldFail(tiny.PathOf("model.onnx"), entry, "config.json");
        tiny.SaveConfiguration();
        Assert.Equal(TinyBert.Heads, EncoderModel.Load(tiny.Folder).Configuration.Heads);
    }

    [Fact]
    public static void A_product_that_is_scaled_is_an_error_that_names_the_node()
    {
        using var tiny = new TinyBert();
        File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny, TinyOnnx.Linear.ScaledGemm));
        ShouldFail(tiny.PathOf("model.onnx"), "Gemm_sum_0", "scales");
    }

    [Fact]
    public static void More_nodes_than_any_encoder_has_are_an_error()
    {
        using var tiny = new TinyBert();
        byte[] node = OnnxBytes.Field(1, []), nodes = new byte[node.Length * ((1 << 17) + 1)];
        for (int i = 0; i < nodes.Length; i++)
            nodes[i] = node[i % node.Length];
        File.WriteAllBytes(tiny.PathOf("model.onnx"), OnnxBytes.Field(7, nodes));
        ShouldFail(tiny.PathOf("model.onnx"), "more than 131072 nodes");
    }

    [Fact]
    public static void An_operator_of_another_model_is_an_error_that_names_the_node()
    {
        foreach (string type in (string[])["MatMulInteger", "Sin", "Attention", "If"])
        {
            using var tiny = new TinyBert();
            File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny, change: graph => graph.Node(type, ["x"], "y")));
            ShouldFail(tiny.PathOf("model.onnx"), $"{type}_y", type);
        }
    }

    [Fact]
    public static void A_tensor_that_cannot_be_read_is_an_error_that_says_why()
    {
        const string Norm = "embeddings.LayerNorm.weight";
        byte[] name = OnnxBytes.Field(8, Norm), shape = OnnxBytes.Number(1, 24);
        ShouldFailWith(OnnxBytes.Tensor(Norm, 11, [24], new byte[192]), "type 11");
        ShouldFailWith(OnnxBytes.Tensor(Norm, 1, [24], new byte[95]), "95 bytes");
        ShouldFailWith(OnnxBytes.Tensor(Norm, 1, [25], new byte[100]), "[25]");
        ShouldFailWith(OnnxBytes.Tensor(Norm, 1, [long.MaxValue, 24], new byte[96]), "96 bytes");
        ShouldFailWith(OnnxBytes.Tensor(Norm, 1, [-24], new byte[96]), "-24");
        ShouldFailWith([.. shape, .. OnnxBytes.Number(2, 1), .. name, .. OnnxBytes.Field(13, OnnxBytes.Field(1, "location"))], "another file");
        ShouldFailWith([.. shape, .. OnnxBytes.Number(2, 1), .. name, .. OnnxBytes.Number(5, 7)], "not supported");

        static void ShouldFailWith(byte[] tensor, string reason)
        {
            using var tiny = new TinyBert();
            tiny.Tensors.Remove(Norm);
            File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny, change: graph => graph.Initializer(tensor)));
            ShouldFail(tiny.PathOf("model.onnx"), Norm, reason);
        }
    }

    [Fact]
    public static void Names_that_stand_twice_are_an_error()
    {
        using var tiny = new TinyBert();
        File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny, change: static graph => graph.Initializer(OnnxBytes.Tensor("headDim", [1], [8L]))));
        ShouldFail(tiny.PathOf("model.onnx"), "two tensors 'headDim'");
        File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny, change: static graph => graph.Node("Add", ["a", "b"], "erf")));
        ShouldFail(tiny.PathOf("model.onnx"), "output 'erf'");
    }

    [Fact]
    public static void Files_of_any_bytes_are_models_or_errors()
    {
        // Every third length of a model, and models with some bytes changed: nothing but InvalidDataException comes of it.
        using var tiny = new TinyBert();
        byte[] bytes = TinyOnnx.Write(tiny);
        Random random = new(5);
        int refused = 0;
        for (int length = 1; length < bytes.Length; length += Math.Max(1, bytes.Length / 300))
            refused += IsRefused(bytes[..length]);
        Assert.True(refused > 200, $"Only {refused} truncated files were refused.");
        for (int i = 0; i < 2000; i++)
        {
            byte[] changed = [.. bytes];
            for (int j = random.Next(1, 4); j > 0; j--)
            {
                int at = random.Next(changed.Length);
                changed[at] = (byte)random.Next(256);
            }

            IsRefused(changed);
        }

        int IsRefused(byte[] file)
        {
            string path = tiny.PathOf("model.onnx");
            File.WriteAllBytes(path, file);
            try
            {
                using var mapped = new MappedFile(path);
                OnnxGraph graph = new(mapped);
                EncoderTensors tensors = new(mapped, OnnxWeights.Read(mapped, graph));
                OnnxConfiguration.Read(mapped, graph, tensors);
                return 0;
            }
            catch (InvalidDataException)
            {
                return 1;
            }
        }
    }

    private static void ShouldFail(string path, params string[] parts)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => EncoderModel.Load(path));
        Assert.Contains(Path.GetFileName(path), error.Message, StringComparison.Ordinal);
        foreach (string part in parts)
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }
}
