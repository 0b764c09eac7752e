using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary><c>fastattn layer</c>: whatever a checkpoint has under the prefix is used, or named.</summary>
public sealed class LayerTensorTests
{
    private const int Dim = LayerCheckpoint.Dim, Heads = 2, HeadDim = Dim / Heads;

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
        using var layer = new LayerCheckpoint(_random, "l.0.attn.");
        layer.Add($"l.0.attn.{name}", 3);
        layer.Add($"l.0.attn.{name}.more", 3);
        layer.Add("l.1.attn.other", 3);

        layer.Run().ShouldBeBadInput("--weights", $"has tensor 'l.0.attn.{name}' of F32 [3], whose use is not known, and 1 more such tensors.");
        Assert.False(File.Exists(layer.Folder.Output));
    }

    [Fact]
    public void Tensors_beside_the_prefix_are_no_concern()
    {
        using var layer = new LayerCheckpoint(_random, "l.0.attn.");
        layer.Add("l.1.attn.sinks", 3);
        layer.Add("l.0.mlp.weight", 3);
        layer.Add("sinks", Heads);

        layer.Run().ShouldSucceed();
        layer.ShouldBe();
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
        using var layer = new LayerCheckpoint(_random);
        ArrayFolder.Write(layer.Folder.Key, new NpyArray([Heads], [0.5f, -1]));

        ToolResult result = layer.Run("--sinks", layer.Folder.Key);

        result.ShouldSucceed();
        Assert.Contains($"sinks   one for each head, from --sinks {layer.Folder.Key}", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(call: new() { Sinks = [0.5f, -1] });
    }

    [Fact]
    public void Sinks_that_do_not_fit_are_refused()
    {
        using var layer = new LayerCheckpoint(_random);
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
        using var layer = new LayerCheckpoint(_random);
        layer.Add("sinks", shape, [.. Enumerable.Repeat(number, shape[0])]);
        layer.Run().ShouldBeBadInput(message);
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
            using var layer = new LayerCheckpoint(_random);
            layer.Run().ShouldSucceed();
            float[] without = ArrayFolder.Read(layer.Folder.Output).Data;
            layer.Run(args).ShouldSucceed();
            layer.ShouldBe(options);
            Assert.NotEqual(without, ArrayFolder.Read(layer.Folder.Output).Data);
        }
    }

    [Fact]
    public void Alibi_has_the_usual_slopes()
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Run("--alibi", "--mask", "causal").ShouldSucceed();
        // 2^(-8 (i + 1) / h) of 2 heads.
        layer.ShouldBe(options => options with { Mask = AttentionMask.Causal }, call: new() { AlibiSlopes = [1f / 16, 1f / 256] });
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
    [InlineData("--norm", "l2", "--norm l2: expected rms, layer")]
    [InlineData("--qkv-order", "perkeyvaluehead", "--qkv-order perkeyvaluehead: expected concatenated or per-head")]
    [InlineData("--qkv-order", "1", "--qkv-order 1: expected concatenated or per-head")]
    [InlineData("--rotary-factor", "0", "--rotary-factor 0: expected a positive number that is finite in float32")]
    [InlineData("--rotary-factor", "1e39", "--rotary-factor 1e39: expected a positive number that is finite in float32")]
    [InlineData("--rotary-factor", "NaN", "--rotary-factor NaN: expected a positive number that is finite in float32")]
    [InlineData("--sinks", "", "--sinks: is empty; expected an .npy file")]
    [InlineData("--weights", "", "--weights: is empty; expected a safetensors file")]
    public void Values_that_are_not_known_are_refused(string option, string value, string message)
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Run(without: option == "--weights", option, value).ShouldBeBadInput(message);
    }

    [Fact]
    public void A_window_to_the_right_of_a_causal_mask_is_refused()
    {
        using var layer = new LayerCheckpoint(_random);
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
        using var layer = new LayerCheckpoint(_random);
        float[] causal = [1, 0, 0, 1, 1, 0, 1, 1, 1];
        layer.Add("bias", [1, 1, 3, 3], causal, type);
        layer.Run("--mask", "causal").ShouldSucceed();
        layer.ShouldBe(options => options with { Mask = AttentionMask.Causal });
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
        using var layer = new LayerCheckpoint(_random);
        layer.Add("bias", shape, [.. Enumerable.Repeat(number, shape.Aggregate(1, (a, b) => a * b))], type);
        layer.Run("--mask", "causal").ShouldBeBadInput(message);
    }

    [Fact]
    public void The_number_for_hidden_scores_is_ignored_with_a_line()
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Add("masked_bias", [], [-1e9f]);
        layer.Run().ShouldIgnore("tensor 'masked_bias': a score that is hidden is −∞ here.");
        layer.ShouldBe();
        layer.Add("masked_bias", [], [-1]);
        layer.Run().ShouldBeBadInput("has tensor 'masked_bias' of F32 []; expected one number of −1e4 or less");
        layer.Add("masked_bias", [2], [-1e9f, -1e9f]);
        layer.Run().ShouldBeBadInput("has tensor 'masked_bias' of F32 [2]; expected one number of −1e4 or less");
    }

    [Fact]
    public void Rotary_frequencies_of_the_checkpoint_are_used_unless_options_give_others()
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Add("rotary_emb.inv_freq", [2], [0.75f, 0.0625f]);

        layer.Run("--rotary", "interleaved").ShouldSucceed();
        layer.ShouldBe(options => options with { Rotary = new RotaryEmbedding([0.75, 0.0625], RotaryPairing.Interleaved) });

        layer.Run("--rotary", "halfsplit", "--rotary-base", "100").ShouldIgnore("tensor 'rotary_emb.inv_freq': --rotary-base and --rotary-dim decide the rotary frequencies.");
        layer.ShouldBe(options => options with { Rotary = new RotaryEmbedding(HeadDim, RotaryPairing.HalfSplit, 100) });

        layer.Run().ShouldIgnore("tensor 'rotary_emb.inv_freq': the rotary frequencies are for --rotary, which is not given.");
        layer.ShouldBe();

        layer.Run("--rotary", "interleaved", "--rotary-factor", "1.5").ShouldSucceed();
        layer.ShouldBe(options => options with { Rotary = new RotaryEmbedding([0.75, 0.0625], RotaryPairing.Interleaved, attentionFactor: 1.5) });

        layer.Run("--rotary", "halfsplit", "--rotary-dim", "2", "--rotary-factor", "0.5").ShouldIgnore("tensor 'rotary_emb.inv_freq': --rotary-base and --rotary-dim decide the rotary frequencies.");
        layer.ShouldBe(options => options with { Rotary = new RotaryEmbedding(2, attentionFactor: 0.5) });

        layer.Add("rotary_emb.inv_freq", [2], [0.75f, float.NaN]);
        layer.Run("--rotary", "halfsplit").ShouldBeBadInput("has tensor 'rotary_emb.inv_freq' with a number that is not finite");
        layer.Add("rotary_emb.inv_freq", [3], [1, 1, 1]);
        layer.Run("--rotary", "halfsplit").ShouldBeBadInput("has tensor 'rotary_emb.inv_freq' of shape [3]; expected [n] with n from 1 to 2");
    }

    [Fact]
    public void The_norm_after_a_Bert_layer_is_ignored_with_a_line()
    {
        using var layer = new LayerCheckpoint(_random, "a.", ["self.query", "self.key", "self.value", "output.dense"]);
        layer.Add("a.output.LayerNorm.weight", Dim);
        layer.Run().ShouldIgnore("tensor 'a.output.LayerNorm.weight': it normalises the sum of the layer's input and output, which is not part of attention.");
        layer.ShouldBe();
    }
}
