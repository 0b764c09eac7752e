using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary><c>fastattn layer</c>: what it writes is what the library computes from the same numbers.</summary>
public sealed class LayerCommandTests
{
    private const int Dim = 24, Length = 7;

    private readonly Random _random = new(3);

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void Llama_like_layer_of_every_element_type(string type)
    {
        const string Prefix = "model.layers.3.self_attn.";
        using var folder = new ArrayFolder();
        var file = new SafetensorsBytes();
        file.Add("model.layers.2.self_attn.q_proj.weight", "F64", [0], []);
        float[] q = Add("q_proj.weight", 48, Dim), k = Add("k_proj.weight", 16, Dim), v = Add("v_proj.weight", 16, Dim), o = Add("o_proj.weight", Dim, 48);
        float[] queryNorm = Add("q_norm.weight", 8), keyNorm = Add("k_norm.weight", 8), keyBias = Add("k_proj.bias", 16);
        File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        folder.WriteNormal(folder.Query, 2, Length, Dim);

        ToolResult result = Run(folder, "--prefix", Prefix, "--heads", "6", "--mask", "causal", "--rotary", "interleaved", "--rotary-base", "500", "--rotary-dim", "6");

        result.ShouldSucceed();
        Assert.Contains("6 heads, 2 key-value heads, dimensions 8 and 8", result.Output, StringComparison.Ordinal);
        MultiHeadAttention layer = new(
            new() { ModelDim = Dim, Heads = 6, KeyValueHeads = 2, HeadDim = 8, ValueDim = 8, Mask = AttentionMask.Causal, Rotary = new(6, RotaryPairing.Interleaved, 500) },
            new() { Query = q, Key = k, Value = v, Output = o, KeyBias = keyBias, QueryNorm = queryNorm, KeyNorm = keyNorm });
        ShouldBe(folder, layer, 2, [2, Length, Dim]);

        float[] Add(string name, params int[] shape) => file.Add(Prefix + name, type, shape, Normal(shape));
    }

    [Fact]
    public void Gpt_2_layer_has_one_matrix_of_queries_keys_and_values_of_inputs_by_outputs()
    {
        using var folder = new ArrayFolder();
        var file = new SafetensorsBytes();
        float[] qkv = file.Add("h.0.attn.c_attn.weight", "F32", [Dim, 3 * Dim], Normal(Dim, 3 * Dim)), qkvBias = file.Add("h.0.attn.c_attn.bias", "F32", [3 * Dim], Normal(3 * Dim));
        float[] output = file.Add("h.0.attn.c_proj.weight", "F32", [Dim, Dim], Normal(Dim, Dim)), bias = file.Add("h.0.attn.c_proj.bias", "F32", [Dim], Normal(Dim));
        File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        folder.WriteNormal(folder.Query, Length, Dim);

        Run(folder, "--prefix", "h.0.attn.", "--heads", "4", "--mask", "causal", "--threads", "1", "--isa", "scalar").ShouldSucceed();

        MultiHeadAttention layer = new(
            new() { ModelDim = Dim, Heads = 4, Mask = AttentionMask.Causal },
            new() { Layout = WeightLayout.InputOutput, Qkv = qkv, QkvBias = qkvBias, Output = output, OutputBias = bias });
        ShouldBe(folder, layer.For(InstructionSet.Scalar), 1, [Length, Dim]);
    }

    [Theory]
    [InlineData("in_proj_weight", "in_proj_bias", "out_proj.weight")]
    [InlineData("self.query.weight", "self.query.bias", "output.dense.weight")]
    public void Other_families_are_known_by_their_names(string first, string firstBias, string last)
    {
        using var folder = new ArrayFolder();
        var file = new SafetensorsBytes();
        bool isInOne = first == "in_proj_weight";
        int outputs = isInOne ? 3 * Dim : Dim;
        float[] weight = file.Add(first, "F32", [outputs, Dim], Normal(outputs, Dim)), bias = file.Add(firstBias, "F32", [outputs], Normal(outputs));
        float[] key = isInOne ? [] : file.Add("self.key.weight", "F32", [Dim, Dim], Normal(Dim, Dim)), value = isInOne ? [] : file.Add("self.value.weight", "F32", [Dim, Dim], Normal(Dim, Dim));
        float[] output = file.Add(last, "F32", [Dim, Dim], Normal(Dim, Dim));
        File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        folder.WriteNormal(folder.Query, Length, Dim);

        Run(folder, "--heads", "3").ShouldSucceed();

        MultiHeadAttentionOptions options = new() { ModelDim = Dim, Heads = 3 };
        ShouldBe(folder, isInOne
            ? new(options, new() { Qkv = weight, QkvBias = bias, Output = output })
            : new(options, new() { Query = weight, QueryBias = bias, Key = key, Value = value, Output = output }), 1, [Length, Dim]);
    }

    [Fact]
    public void Missing_and_misshapen_tensors_are_named_with_what_was_expected()
    {
        Bad("has no attention layer 'x.'; expected tensors 'x.q_proj.weight' and 'x.o_proj.weight' or", prefix: "x.");
        Bad("has no tensor 'k_proj.weight'", ("q_proj.weight", [24, 24]), ("o_proj.weight", [24, 24]));
        Bad("tensor 'q_proj.weight' of shape [576]; expected [outputs, inputs]", ("q_proj.weight", [576]), ("o_proj.weight", [24, 24]));
        Bad("tensor 'k_proj.weight' of shape [24, 23]; expected [outputs, 24], as 'q_proj.weight' has", ("q_proj.weight", [24, 24]), ("k_proj.weight", [24, 23]), ("v_proj.weight", [24, 24]), ("o_proj.weight", [24, 24]));
        Bad("tensor 'q_proj.bias' of shape [23]; expected [24]", ("q_proj.weight", [24, 24]), ("k_proj.weight", [24, 24]), ("v_proj.weight", [24, 24]), ("o_proj.weight", [24, 24]), ("q_proj.bias", [23]));
        Bad("tensor 'o_proj.weight' of [24, 20]; expected 3 heads of 24/3 inputs", ("q_proj.weight", [24, 24]), ("k_proj.weight", [24, 24]), ("v_proj.weight", [24, 24]), ("o_proj.weight", [24, 20]));
        Bad("tensor 'in_proj_weight' of [71, 24]; expected 24 outputs for queries, as 'out_proj.weight' has inputs, and for keys and values equally many", ("in_proj_weight", [71, 24]), ("out_proj.weight", [24, 24]));
        Bad("--heads 3: with head dimension 8 the 23 key outputs", ("in_proj_weight", [70, 24]), ("out_proj.weight", [24, 24]));
        Bad("tensor 'c_attn.weight' of [72, 24]; expected 24 outputs for queries", ("c_attn.weight", [72, 24]), ("c_proj.weight", [24, 24]));
        Bad("--heads 3: the 25 query outputs of '' are not a multiple", ("q_proj.weight", [25, 24]), ("k_proj.weight", [24, 24]), ("v_proj.weight", [24, 24]), ("o_proj.weight", [24, 24]));
        Bad("--heads 3: with head dimension 8 the 20 key outputs", ("q_proj.weight", [24, 24]), ("k_proj.weight", [20, 24]), ("v_proj.weight", [24, 24]), ("o_proj.weight", [24, 24]));
        Bad("its last axis is 24; expected 12, as the layer's weights have", ("q_proj.weight", [24, 12]), ("k_proj.weight", [24, 12]), ("v_proj.weight", [24, 12]), ("o_proj.weight", [24, 24]));
    }

    [Fact]
    public void Element_type_that_is_not_read_is_named()
    {
        using var folder = new ArrayFolder();
        folder.WriteNormal(folder.Query, Length, Dim);
        File.WriteAllBytes(folder.File("model.safetensors"), SafetensorsBytes.File(
            """{"in_proj_weight": {"dtype": "I8", "shape": [72, 24], "data_offsets": [0, 1728]}, "out_proj.weight": {"dtype": "F8_E4M3", "shape": [24, 24], "data_offsets": [1728, 2304]}}""", 2304));
        Run(folder, "--heads", "3").ShouldBeBadInput("tensor 'in_proj_weight' of I8; expected F32, F16 or BF16");
    }

    [Fact]
    public void Options_that_do_not_fit_are_refused()
    {
        using var folder = new ArrayFolder();
        folder.WriteNormal(folder.Query, Length, Dim);
        Run(folder).ShouldBeBadInput("--heads is missing");
        Run(folder, "--heads", "0").ShouldBeBadInput("--heads 0: expected an integer of at least 1");
        Run(folder, "--heads", "3", "--rotary-base", "500").ShouldBeBadInput("--rotary is missing");
        Run(folder, "--heads", "3", "--rotary-factor", "2").ShouldBeBadInput("--rotary is missing");
        Run(folder, "--heads", "3", "--norm-after-rotary").ShouldBeBadInput("--rotary is missing: --norm-after-rotary needs it");
        Run(folder, "--heads", "3", "--rotary", "halfsplit", "--rotary-dim", "5").ShouldBeBadInput("--rotary-dim 5: expected an even integer");
        Run(folder, "--heads", "3").ShouldBeBadInput("--weights", "no such file");
        folder.WriteNormal(folder.Query, Dim);
        Run(folder, "--heads", "3").ShouldBeBadInput("has 1 axes; expected 2 or 3: [L,D] or [B,L,D]");
    }

    private static ToolResult Run(ArrayFolder folder, params string[] options) =>
        ToolResult.Of(["layer", "--weights", folder.File("model.safetensors"), "--input", folder.Query, "--output", folder.Output, .. options]);

    private static void ShouldBe(ArrayFolder folder, MultiHeadAttention layer, int batch, int[] shape)
    {
        NpyArray input = ArrayFolder.Read(folder.Query), output = ArrayFolder.Read(folder.Output);
        var expected = new float[output.Data.Length];
        layer.Forward(input.Data, expected, batch, Length);
        Assert.Equal(shape, output.Shape);
        Assert.Equal(expected, output.Data);
    }

    private void Bad(string message, params (string Name, int[] Shape)[] tensors) => Bad(message, string.Empty, tensors);

    private void Bad(string message, string prefix, params (string Name, int[] Shape)[] tensors)
    {
        using var folder = new ArrayFolder();
        folder.WriteNormal(folder.Query, Length, Dim);
        var file = new SafetensorsBytes();
        if (tensors.Length == 0)
            file.Add("other", "F32", [1], [1]);
        foreach ((string name, int[] shape) in tensors)
            file.Add(name, "F32", shape, Normal(shape));
        File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        Run(folder, "--prefix", prefix, "--heads", "3").ShouldBeBadInput(message);
        Assert.False(File.Exists(folder.Output));
    }

    private float[] Normal(params int[] shape)
    {
        var numbers = new float[shape.Aggregate(1, static (a, b) => a * b)];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (float)(_random.NextDouble() - 0.5);
        return numbers;
    }
}
