using System;
using System.Linq;

using FastAttn.Cli.Npy;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary><c>fastattn layer</c>: the normalisation of queries and keys is the library's.</summary>
public sealed class LayerNormTests
{
    private const int Dim = LayerCheckpoint.Dim, Heads = 2, HeadDim = Dim / Heads;

    private readonly Random _random = new(12);

    [Theory]
    [InlineData("q_norm", "k_norm", false)]
    [InlineData("query_norm", "key_norm", false)]
    [InlineData("q_layernorm", "k_layernorm", true)]
    [InlineData("query_layernorm", "key_layernorm", true)]
    [InlineData("q_ln", "k_ln", true)]
    public void Norms_are_used_under_each_name_where_their_kind_is_known(string query, string key, bool isToBeSaid)
    {
        using var layer = new LayerCheckpoint(_random);
        float[] queryNorm = layer.Add($"{query}.weight", HeadDim), keyNorm = layer.Add($"{key}.weight", HeadDim);

        if (isToBeSaid)
            layer.Run().ShouldBeBadInput($"has tensor '{query}.weight', a norm whose kind its name does not tell; expected --norm rms or --norm layer");

        ToolResult result = layer.Run(isToBeSaid ? ["--norm", "rms"] : []);
        result.ShouldSucceed();
        Assert.Contains("norm    RMS of each head's queries and keys, factors as stored + 0, epsilon 1E-06", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(weights: weights => weights with { QueryNorm = queryNorm, KeyNorm = keyNorm });
    }

    [Fact]
    public void Stored_factors_may_have_an_offset_and_an_epsilon()
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Add("q_norm.weight", [HeadDim], [0, 0, 0, 0]);
        layer.Add("k_norm.weight", [HeadDim], [0, 0.5f, -0.5f, 1]);

        ToolResult result = layer.Run("--norm-offset", "1", "--norm-eps", "0.25");

        result.ShouldSucceed();
        Assert.Contains("norm    RMS of each head's queries and keys, factors as stored + 1, epsilon 0.25", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(options => options with { NormEpsilon = 0.25f }, weights => weights with { QueryNorm = [1, 1, 1, 1], KeyNorm = [1, 1.5f, 0.5f, 2] });
    }

    // Identities give q = k = x, and layer norms of (a, b) without ε are ±(1, -1): scores of equal signs are 2/√2, else −2/√2.
    [Fact]
    public void A_layer_norm_takes_the_mean_away()
    {
        using var folder = new ArrayFolder();
        var file = new SafetensorsBytes();
        foreach (string name in new[] { "q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight" })
            file.Add(name, "F32", [2, 2], [1, 0, 0, 1]);
        foreach (string name in new[] { "q_norm.weight", "k_norm.weight" })
            file.Add(name, "F32", [2], [1, 1]);
        System.IO.File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        ArrayFolder.Write(folder.Query, new NpyArray([2, 2], [10, 8, 100, 300]));

        ToolResult.Of("layer", "--weights", folder.File("model.safetensors"), "--input", folder.Query, "--output", folder.Output, "--heads", "1", "--norm", "layer", "--norm-eps", "0").ShouldSucceed();

        double own = 1 / (1 + Math.Exp(-4 / Math.Sqrt(2)));
        double[] expected = [own * 10 + (1 - own) * 100, own * 8 + (1 - own) * 300, own * 100 + (1 - own) * 10, own * 300 + (1 - own) * 8];
        foreach ((double right, float actual) in expected.Zip(ArrayFolder.Read(folder.Output).Data))
            Assert.Equal(right, actual, 1e-6 * right); // Some ulp of float32.
    }

    [Fact]
    public void A_layer_norm_may_have_biases()
    {
        using var layer = new LayerCheckpoint(_random);
        float[] queryNorm = layer.Add("q_layernorm.weight", HeadDim), keyNorm = layer.Add("k_layernorm.weight", HeadDim);
        float[] queryBias = layer.Add("q_layernorm.bias", HeadDim), keyBias = layer.Add("k_layernorm.bias", HeadDim);

        ToolResult result = layer.Run("--norm", "layer", "--norm-eps", "1e-5");

        result.ShouldSucceed();
        Assert.Contains("norm    layer norm of each head's queries and keys, factors as stored + 0, with biases, epsilon 1E-05", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(
            options => options with { NormKind = NormKind.Layer, NormEpsilon = 1e-5f },
            weights => weights with { QueryNorm = queryNorm, QueryNormBias = queryBias, KeyNorm = keyNorm, KeyNormBias = keyBias });
    }

    [Fact]
    public void A_bias_of_one_norm_alone_is_used()
    {
        using var layer = new LayerCheckpoint(_random);
        float[] keyNorm = layer.Add("k_norm.weight", HeadDim), keyBias = layer.Add("k_norm.bias", HeadDim);

        ToolResult result = layer.Run("--norm", "rms");

        result.ShouldSucceed();
        Assert.Contains("norm    RMS of each head's keys, factors as stored + 0, with biases", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(weights: weights => weights with { KeyNorm = keyNorm, KeyNormBias = keyBias });
    }

    // OLMo 2, here with grouped queries: 4 heads of 2 elements, 2 key-value heads.
    [Fact]
    public void Factors_for_all_heads_in_a_row_are_a_norm_of_the_whole_row()
    {
        using var layer = new LayerCheckpoint(_random, heads: 4, keyOutputs: 4);
        float[] queryNorm = layer.Add("q_norm.weight", 8), keyNorm = layer.Add("k_norm.weight", 4);

        ToolResult result = layer.Run();

        result.ShouldSucceed();
        Assert.Contains("norm    RMS of all heads' queries and keys at once, factors as stored + 0", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(options => options with { NormScope = NormScope.AllHeads }, weights => weights with { QueryNorm = queryNorm, KeyNorm = keyNorm });
    }

    [Fact]
    public void One_key_value_head_is_all_of_them_and_each()
    {
        using var layer = new LayerCheckpoint(_random, heads: 4, keyOutputs: 2);
        float[] queryNorm = layer.Add("q_norm.weight", 8), keyNorm = layer.Add("k_norm.weight", 2);
        layer.Run().ShouldSucceed();
        layer.ShouldBe(options => options with { NormScope = NormScope.AllHeads }, weights => weights with { QueryNorm = queryNorm, KeyNorm = keyNorm });

        queryNorm = layer.Add("q_norm.weight", 2);
        layer.Run().ShouldSucceed();
        layer.ShouldBe(weights: weights => weights with { QueryNorm = queryNorm, KeyNorm = keyNorm });
    }

    // Cohere's is a layer norm, though it is named q_norm: two axes never stand for one kind in silence.
    [Fact]
    public void Factors_with_an_axis_of_heads_are_a_norm_of_each_head_whose_kind_must_be_said()
    {
        using var layer = new LayerCheckpoint(_random, heads: 4, keyOutputs: 4);
        float[] queryNorm = layer.Add("q_norm.weight", 4, 2), keyNorm = layer.Add("k_norm.weight", 2, 2);

        layer.Run().ShouldBeBadInput("has tensor 'q_norm.weight', a norm whose kind its name does not tell; expected --norm rms or --norm layer");
        layer.Run("--norm", "layer").ShouldSucceed();
        layer.ShouldBe(options => options with { NormKind = NormKind.Layer }, weights => weights with { QueryNorm = queryNorm, KeyNorm = keyNorm });
    }

    [Fact]
    public void A_norm_may_follow_the_rotary_embedding()
    {
        using var layer = new LayerCheckpoint(_random);
        float[] queryNorm = layer.Add("query_layernorm.weight", HeadDim), keyNorm = layer.Add("key_layernorm.weight", HeadDim);
        RotaryEmbedding rotary = new(HeadDim, frequencyBase: 100);

        layer.Run("--norm", "rms", "--rotary", "halfsplit", "--rotary-base", "100").ShouldSucceed();
        float[] before = ArrayFolder.Read(layer.Folder.Output).Data;
        ToolResult result = layer.Run("--norm", "rms", "--rotary", "halfsplit", "--rotary-base", "100", "--norm-after-rotary");

        result.ShouldSucceed();
        Assert.Contains("norm    RMS of each head's queries and keys after the rotary embedding, factors as stored + 0", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(options => options with { Rotary = rotary, NormAfterRotary = true }, weights => weights with { QueryNorm = queryNorm, KeyNorm = keyNorm });
        Assert.NotEqual(before, ArrayFolder.Read(layer.Folder.Output).Data);
    }

    [Theory]
    [InlineData("q_norm.bias", new[] { HeadDim }, "has no tensor 'q_norm.weight', but 'q_norm.bias'")]
    [InlineData("q_norm.bias", new[] { HeadDim }, "has tensor 'q_norm.weight', a norm whose kind its name does not tell", "q_norm.weight", new[] { HeadDim })]
    [InlineData("k_norm.bias", new[] { Dim }, "has tensor 'k_norm.bias' of shape [8]; expected [4], as 'k_norm.weight' has", "k_norm.weight", new[] { HeadDim })]
    [InlineData("k_norm.weight", new[] { 3 }, "has tensor 'k_norm.weight' of shape [3]; expected [4] or [2, 4] for a norm of each head, or [8] for one of all heads at once")]
    [InlineData("k_norm.weight", new[] { HeadDim, Heads }, "has tensor 'k_norm.weight' of shape [4, 2]; expected [4] or [2, 4]")]
    [InlineData("k_norm.weight", new int[0], "has tensor 'k_norm.weight' of shape []; expected [4] or [2, 4]")]
    [InlineData("q_norm.weight", new[] { Dim }, "has tensors 'q_norm.weight' of shape [8] and 'k_norm.weight' of [4]; expected both for each head, or both for all heads at once", "k_norm.weight", new[] { HeadDim })]
    [InlineData("query_norm.weight", new[] { HeadDim }, "has tensor 'query_norm.weight' of F32 [4], whose use is not known", "q_norm.weight", new[] { HeadDim })]
    public void Norms_that_do_not_fit_are_named(string name, int[] shape, string message, string? beside = null, int[]? besideShape = null)
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Add(name, shape);
        if (beside is not null)
            layer.Add(beside, besideShape!);
        layer.Run().ShouldBeBadInput(message);
    }

    [Theory]
    [InlineData("--norm", "--norm", "rms")]
    [InlineData("--norm-offset", "--norm-offset", "1")]
    [InlineData("--norm-eps", "--norm-eps", "1e-5")]
    [InlineData("--norm-after-rotary", "--norm-after-rotary", "--rotary", "halfsplit")]
    public void Options_of_norms_need_norms(string option, params string[] options)
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Run(options).ShouldBeBadInput($"{option}: the layer has no norm of queries or keys");
    }
}
