using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary><c>fastattn layer</c>: whatever a checkpoint has under the prefix is used, or named.</summary>
public sealed class LayerTensorTests
{
    private const int Dim = 8, Heads = 2, HeadDim = 4, Length = 5;

    private readonly Random _random = new(11);

    [Theory]
    [InlineData("q_proj.weight_scale")]
    [InlineData("q_proj.lora_A.weight")]
    [InlineData("alibi_slopes")]
    [InlineData("bias_k")]
    [InlineData("q_layernorms.0.weight")]
    [InlineData("rotary_emb.cos_cached")]
    public void A_tensor_whose_use_is_not_known_is_named(string name)
    {
        using var layer = new Checkpoint(_random, "l.0.attn.");
        layer.Add($"l.0.attn.{name}", 3);
        layer.Add($"l.0.attn.{name}.more", 3);
        layer.Add("l.1.attn.other", 3);

        layer.Run().ShouldBeBadInput("--weights", $"has tensor 'l.0.attn.{name}' of F32 [3], whose use is not known, and 1 more such tensors.");
        Assert.False(File.Exists(layer.Folder.Output));
    }

    [Fact]
    public void Tensors_beside_the_prefix_are_no_concern()
    {
        using var layer = new Checkpoint(_random, "l.0.attn.");
        layer.Add("l.1.attn.sinks", 3);
        layer.Add("l.0.mlp.weight", 3);
        layer.Add("sinks", Heads);

        layer.Run().ShouldSucceed();
        layer.ShouldBe(new());
    }

    // Scores are 0, so a query's weights are 1 for each key and e^sink for the sink: of two keys each has 1/(2 + e^sink).
    [Fact]
    public void A_sink_takes_its_share_of_the_weights()
    {
        using var folder = new ArrayFolder();
        var file = new SafetensorsBytes();
        file.Add("q_proj.weight", "F32", [2, 2], [0, 0, 0, 0]);
        foreach (string name in new[] { "k_proj.weight", "v_proj.weight", "o_proj.weight" })
            file.Add(name, "F32", [2, 2], [1, 0, 0, 1]);
        file.Add("sinks", "BF16", [2], [0, float.NegativeInfinity]);
        File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        ArrayFolder.Write(folder.Query, new NpyArray([2, 2], [3, 30, 6, 60]));

        ToolResult result = ToolResult.Of("layer", "--weights", folder.File("model.safetensors"), "--input", folder.Query, "--output", folder.Output, "--heads", "2");

        result.ShouldSucceed();
        Assert.Contains("sinks   one for each head, from 'sinks'", result.Output, StringComparison.Ordinal);
        float[] output = ArrayFolder.Read(folder.Output).Data;
        for (int i = 0; i < output.Length; i++)
            Assert.Equal(i % 2 == 0 ? 3 : 45, output[i], 1e-5f); // A few ulp of float32.
    }

    [Fact]
    public void Sinks_may_be_a_file()
    {
        using var layer = new Checkpoint(_random);
        ArrayFolder.Write(layer.Folder.Key, new NpyArray([Heads], [0.5f, -1]));

        ToolResult result = layer.Run("--sinks", layer.Folder.Key);

        result.ShouldSucceed();
        Assert.Contains($"sinks   one for each head, from --sinks {layer.Folder.Key}", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(new() { Sinks = [0.5f, -1] });
    }

    [Fact]
    public void Sinks_that_do_not_fit_are_refused()
    {
        using var layer = new Checkpoint(_random);
        string sinks = layer.Folder.Key;
        layer.Run("--sinks", sinks).ShouldBeBadInput($"--sinks {sinks}: no such file");
        ArrayFolder.Write(sinks, new NpyArray([1, Heads], [0, 0]));
        layer.Run("--sinks", sinks).ShouldBeBadInput($"--sinks {sinks}: has shape (1, 2); expected (2,), one sink for each head");
        ArrayFolder.Write(sinks, new NpyArray([Heads], [0, float.NaN]));
        layer.Run("--sinks", sinks).ShouldBeBadInput($"--sinks {sinks}: has a number that is no sink");
        ArrayFolder.Write(sinks, new NpyArray([Heads], [0, 0]));
        layer.Add("sinks", Heads);
        layer.Run("--sinks", sinks).ShouldBeBadInput($"--sinks {sinks}: the checkpoint has sinks of its own, 'sinks'");
    }

    [Theory]
    [InlineData(new[] { 3 }, 1f, "has tensor 'sinks' of shape [3]; expected [2]")]
    [InlineData(new[] { 2 }, float.PositiveInfinity, "has tensor 'sinks' with a number that is no sink")]
    public void Sinks_of_a_checkpoint_that_do_not_fit_are_named(int[] shape, float number, string message)
    {
        using var layer = new Checkpoint(_random);
        layer.Add("sinks", shape, [.. Enumerable.Repeat(number, shape[0])]);
        layer.Run().ShouldBeBadInput(message);
    }

    [Theory]
    [InlineData("q_norm", "k_norm", false)]
    [InlineData("query_norm", "key_norm", false)]
    [InlineData("q_layernorm", "k_layernorm", true)]
    [InlineData("query_layernorm", "key_layernorm", true)]
    [InlineData("q_ln", "k_ln", true)]
    public void Norms_are_used_under_each_name_where_their_kind_is_known(string query, string key, bool isToBeSaid)
    {
        using var layer = new Checkpoint(_random);
        float[] queryNorm = layer.Add($"{query}.weight", HeadDim), keyNorm = layer.Add($"{key}.weight", HeadDim);

        if (isToBeSaid)
            layer.Run().ShouldBeBadInput($"has tensor '{query}.weight', a norm whose kind its name does not tell; expected --norm rms");

        ToolResult result = layer.Run(isToBeSaid ? ["--norm", "rms"] : []);
        result.ShouldSucceed();
        Assert.Contains("norm    RMS of each head's queries and keys, factors as stored + 0, epsilon 1E-06", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(new() { QueryNorm = queryNorm, KeyNorm = keyNorm });
    }

    [Fact]
    public void Stored_factors_may_have_an_offset_and_an_epsilon()
    {
        using var layer = new Checkpoint(_random);
        layer.Add("q_norm.weight", [HeadDim], [0, 0, 0, 0]);
        layer.Add("k_norm.weight", [HeadDim], [0, 0.5f, -0.5f, 1]);

        ToolResult result = layer.Run("--norm-offset", "1", "--norm-eps", "0.25");

        result.ShouldSucceed();
        Assert.Contains("norm    RMS of each head's queries and keys, factors as stored + 1, epsilon 0.25", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(new() { QueryNorm = [1, 1, 1, 1], KeyNorm = [1, 1.5f, 0.5f, 2], Options = options => options with { NormEpsilon = 0.25f } });
    }

    [Theory]
    [InlineData("q_norm.bias", new[] { HeadDim }, "has tensor 'q_norm.bias': a norm with a bias is a layer norm")]
    [InlineData("key_layernorm.bias", new[] { HeadDim }, "has tensor 'key_layernorm.bias': a norm with a bias is a layer norm")]
    [InlineData("k_norm.weight", new[] { Dim }, "has tensor 'k_norm.weight' of shape [8]; expected [4]: only norms of each head are known")]
    [InlineData("q_norm.weight", new[] { Heads, HeadDim }, "has tensor 'q_norm.weight' of shape [2, 4]; expected [4]: only norms of each head are known")]
    [InlineData("query_norm.weight", new[] { HeadDim }, "has tensor 'query_norm.weight' of F32 [4], whose use is not known", "q_norm.weight")]
    public void Norms_that_are_not_known_are_named(string name, int[] shape, string message, string? beside = null)
    {
        using var layer = new Checkpoint(_random);
        layer.Add(name, shape);
        if (beside is not null)
            layer.Add(beside, shape);
        layer.Run().ShouldBeBadInput(message);
    }

    [Theory]
    [InlineData("--norm", "rms")]
    [InlineData("--norm-offset", "1")]
    [InlineData("--norm-eps", "1e-5")]
    public void Options_of_norms_need_norms(string option, string value)
    {
        using var layer = new Checkpoint(_random);
        layer.Run(option, value).ShouldBeBadInput($"{option}: the layer has no norm of queries or keys");
    }

    [Fact]
    public void Window_scale_and_softcap_are_those_of_the_library()
    {
        Same(options => options with { Window = new AttentionWindow(1, null) }, "--window", "1");
        Same(options => options with { Window = new AttentionWindow(1, 2) }, "--window", "1:2");
        Same(options => options with { Window = new AttentionWindow(2, 0), Mask = AttentionMask.Causal }, "--window", "2:0", "--mask", "causal");
        Same(options => options with { Scale = 2.5f }, "--scale", "2.5");
        Same(options => options with { Softcap = 0.75f }, "--softcap", "0.75");

        void Same(Func<MultiHeadAttentionOptions, MultiHeadAttentionOptions> options, params string[] args)
        {
            using var layer = new Checkpoint(_random);
            layer.Run().ShouldSucceed();
            float[] without = ArrayFolder.Read(layer.Folder.Output).Data;
            layer.Run(args).ShouldSucceed();
            layer.ShouldBe(new() { Options = options });
            Assert.NotEqual(without, ArrayFolder.Read(layer.Folder.Output).Data);
        }
    }

    [Theory]
    [InlineData("--window", "-1", "--window -1: expected LEFT or LEFT:RIGHT, integers of at least 0")]
    [InlineData("--window", "1:", "--window 1:: expected LEFT or LEFT:RIGHT")]
    [InlineData("--window", ":1", "--window :1: expected LEFT or LEFT:RIGHT")]
    [InlineData("--window", "1:2:3", "--window 1:2:3: expected LEFT or LEFT:RIGHT")]
    [InlineData("--window", "2147483648", "--window 2147483648: expected LEFT or LEFT:RIGHT")]
    [InlineData("--window", "", "--window : expected LEFT or LEFT:RIGHT")]
    [InlineData("--softcap", "0", "--softcap 0: expected a number from 1e-20 to 1e20")]
    [InlineData("--softcap", "NaN", "--softcap NaN: expected a number from 1e-20 to 1e20")]
    [InlineData("--scale", "1e39", "--scale 1e39: expected a finite number")]
    [InlineData("--norm-offset", "NaN", "--norm-offset NaN: expected a finite number")]
    [InlineData("--norm-eps", "-1", "--norm-eps -1: expected a finite number of at least 0")]
    [InlineData("--norm", "layer", "--norm layer: expected rms")]
    [InlineData("--sinks", "", "--sinks: is empty; expected an .npy file")]
    [InlineData("--weights", "", "--weights: is empty; expected a safetensors file")]
    public void Values_that_are_not_known_are_refused(string option, string value, string message)
    {
        using var layer = new Checkpoint(_random);
        layer.Run(without: option == "--weights", option, value).ShouldBeBadInput(message);
    }

    [Fact]
    public void A_window_to_the_right_of_a_causal_mask_is_refused()
    {
        using var layer = new Checkpoint(_random);
        layer.Run("--mask", "causal", "--window", "3:1").ShouldBeBadInput("--window 3:1: a query sees no key after its own by --mask causal");
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("U8")]
    [InlineData("BOOL")]
    public void A_mask_in_the_checkpoint_must_be_the_one_that_is_asked_for(string type)
    {
        using var layer = new Checkpoint(_random);
        float[] causal = [1, 0, 0, 1, 1, 0, 1, 1, 1];
        layer.Add("bias", [1, 1, 3, 3], causal, type);
        layer.Run("--mask", "causal").ShouldSucceed();
        layer.ShouldBe(new() { Options = options => options with { Mask = AttentionMask.Causal } });
        layer.Run("--window", "5:0").ShouldSucceed();
        layer.Run().ShouldBeBadInput("has a mask, tensor 'bias', by which query 0 does not see key 1; by --mask none it is the other way round");
        layer.Run("--mask", "causal", "--window", "1").ShouldBeBadInput("by which query 2 sees key 0; by --mask causal and --window it is the other way round");

        // GPT-Neo's local layers.
        float[] local = [1, 0, 0, 1, 1, 0, 0, 1, 1];
        layer.Add("bias", [1, 1, 3, 3], local, type);
        layer.Run("--mask", "causal", "--window", "1").ShouldSucceed();
        layer.Run("--mask", "causal").ShouldBeBadInput("by which query 2 does not see key 0; by --mask causal it is the other way round");
    }

    [Theory]
    [InlineData(new[] { 1, 1, 2, 2 }, 0.5f, "F32", "has tensor 'bias' with a number that is neither 0 nor 1; expected a mask")]
    [InlineData(new[] { 1, 1, 2, 2 }, 3f, "U8", "has tensor 'bias' with a number that is neither 0 nor 1; expected a mask")]
    [InlineData(new[] { 1, 1, 2, 3 }, 1f, "F32", "has tensor 'bias' of F32 [1, 1, 2, 3]; expected a mask of shape [1, 1, n, n]")]
    [InlineData(new[] { 8 }, 1f, "F32", "has tensor 'bias' of F32 [8]; expected a mask of shape [1, 1, n, n]")]
    [InlineData(new[] { 1, 1, 1, 1 }, 1f, "I32", "has tensor 'bias' of I32 [1, 1, 1, 1]; expected a mask of shape [1, 1, n, n]")]
    public void A_bias_that_is_no_mask_is_named(int[] shape, float number, string type, string message)
    {
        using var layer = new Checkpoint(_random);
        layer.Add("bias", shape, [.. Enumerable.Repeat(number, shape.Aggregate(1, (a, b) => a * b))], type);
        layer.Run("--mask", "causal").ShouldBeBadInput(message);
    }

    [Fact]
    public void The_number_for_hidden_scores_is_ignored_with_a_line()
    {
        using var layer = new Checkpoint(_random);
        layer.Add("masked_bias", [], [-1e9f]);
        layer.Run().ShouldIgnore("tensor 'masked_bias': a score that is hidden is −∞ here.");
        layer.ShouldBe(new());
        layer.Add("masked_bias", [], [-1]);
        layer.Run().ShouldBeBadInput("has tensor 'masked_bias' of F32 []; expected one number of −1e4 or less");
        layer.Add("masked_bias", [2], [-1e9f, -1e9f]);
        layer.Run().ShouldBeBadInput("has tensor 'masked_bias' of F32 [2]; expected one number of −1e4 or less");
    }

    [Fact]
    public void Rotary_frequencies_of_the_checkpoint_are_used_unless_options_give_others()
    {
        using var layer = new Checkpoint(_random);
        layer.Add("rotary_emb.inv_freq", [2], [0.75f, 0.0625f]);

        layer.Run("--rotary", "interleaved").ShouldSucceed();
        layer.ShouldBe(new() { Options = options => options with { Rotary = new RotaryEmbedding([0.75, 0.0625], RotaryPairing.Interleaved) } });

        layer.Run("--rotary", "halfsplit", "--rotary-base", "100").ShouldIgnore("tensor 'rotary_emb.inv_freq': --rotary-base and --rotary-dim decide the rotary frequencies.");
        layer.ShouldBe(new() { Options = options => options with { Rotary = new RotaryEmbedding(HeadDim, RotaryPairing.HalfSplit, 100) } });

        layer.Run().ShouldIgnore("tensor 'rotary_emb.inv_freq': the rotary frequencies are for --rotary, which is not given.");
        layer.ShouldBe(new());

        layer.Add("rotary_emb.inv_freq", [2], [0.75f, float.NaN]);
        layer.Run("--rotary", "halfsplit").ShouldBeBadInput("has tensor 'rotary_emb.inv_freq' with a number that is not finite");
        layer.Add("rotary_emb.inv_freq", [3], [1, 1, 1]);
        layer.Run("--rotary", "halfsplit").ShouldBeBadInput("has tensor 'rotary_emb.inv_freq' of shape [3]; expected [n] with n from 1 to 2");
    }

    [Fact]
    public void The_norm_after_a_Bert_layer_is_ignored_with_a_line()
    {
        using var layer = new Checkpoint(_random, "a.", ["self.query", "self.key", "self.value", "output.dense"]);
        layer.Add("a.output.LayerNorm.weight", Dim);
        layer.Run().ShouldIgnore("tensor 'a.output.LayerNorm.weight': it normalises the sum of the layer's input and output, which is not part of attention.");
        layer.ShouldBe(new());
    }

    /// <summary>What a layer is to be, beside its projections.</summary>
    private sealed record Expected
    {
        public Func<MultiHeadAttentionOptions, MultiHeadAttentionOptions> Options { get; init; } = static options => options;

        public float[] QueryNorm { get; init; } = [];

        public float[] KeyNorm { get; init; } = [];

        public float[]? Sinks { get; init; }
    }

    /// <summary>A folder with a checkpoint of one layer's projections, and whatever else is added to it.</summary>
    private sealed class Checkpoint : IDisposable
    {
        private readonly System.Collections.Generic.Dictionary<string, (string Type, int[] Shape, float[] Numbers)> _tensors = [];
        private readonly string _prefix;
        private readonly Random _random;
        private readonly float[][] _projections;

        public Checkpoint(Random random, string prefix = "", string[]? names = null)
        {
            (_random, _prefix) = (random, prefix);
            _projections = [.. (names ?? ["q_proj", "k_proj", "v_proj", "o_proj"]).Select(name => Add($"{prefix}{name}.weight", Dim, Dim))];
            Folder.WriteNormal(Folder.Query, Length, Dim);
        }

        public ArrayFolder Folder { get; } = new();

        public void Dispose() => Folder.Dispose();

        public float[] Add(string name, params int[] shape) => Add(name, shape, [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => _random.NextSingle() * 2 - 1)]);

        public float[] Add(string name, int[] shape, float[] numbers, string type = "F32")
        {
            _tensors[name] = (type, shape, numbers);
            return numbers;
        }

        public ToolResult Run(params string[] options) => Run(without: false, options);

        public ToolResult Run(bool without, params string[] options)
        {
            var file = new SafetensorsBytes();
            foreach ((string name, (string type, int[] shape, float[] numbers)) in _tensors)
                file.Add(name, type, shape, numbers);
            string path = Folder.File("model.safetensors");
            File.WriteAllBytes(path, file.ToBytes());
            string[] weights = without ? [] : ["--weights", path];
            return ToolResult.Of(["layer", .. weights, "--prefix", _prefix, "--input", Folder.Query, "--output", Folder.Output, "--heads", $"{Heads}", .. options]);
        }

        /// <summary>The last output is what the library computes.</summary>
        public void ShouldBe(Expected expected)
        {
            MultiHeadAttention layer = new(
                expected.Options(new() { ModelDim = Dim, Heads = Heads }),
                new()
                {
                    Query = _projections[0], Key = _projections[1], Value = _projections[2], Output = _projections[3],
                    QueryNorm = expected.QueryNorm, KeyNorm = expected.KeyNorm,
                });
            var output = new float[Length * Dim];
            layer.Forward(ArrayFolder.Read(Folder.Query).Data, output, 1, Length, new AttentionModifiers { Sinks = expected.Sinks });
            Assert.Equal(output, ArrayFolder.Read(Folder.Output).Data);
        }
    }
}
