using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;

using FastAttn.Cli.Decoders;

using Xunit;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary><c>fastattn generate</c>.</summary>
public sealed class GenerateCommandTests
{
    // <|begin|>, "hello", " wo".
    private static readonly int[] PromptTokens = [299, 259, 261];

    private const string Prompt = "hello wo";

    private static TwinModel Gpt2() => new TwinModel(2) { IsGpt2 = true, IsTied = true }.WithWeights();

    private static TwinModel Llama() => new TwinModel(3) { KeyValueHeads = 2, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights();

    [Fact]
    public void Text_is_the_twins_and_figures_are_on_standard_error()
    {
        TwinModel twin = Llama();
        using ModelFolder folder = new(twin, "llama");
        ToolResult result = Run(folder, Prompt, "--max-tokens", "9");

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(Text(twin.Continue(PromptTokens, 9).Tokens) + Environment.NewLine, result.Output);
        string[] lines = result.Error.TrimEnd().Split(Environment.NewLine);
        Assert.Equal(2, lines.Length);
        Assert.Matches(@"^prompt      3 tokens in [0-9.]+ ms, [0-9.]+ tokens/s$", lines[0]);
        Assert.Matches(@"^generation  8 tokens in [0-9.]+ ms, [0-9.]+ tokens/s$", lines[1]);
    }

    [Fact]
    public void Shards_give_the_same_text()
    {
        TwinModel twin = Gpt2();
        using ModelFolder folder = new(twin, "gpt2");
        ToolResult whole = Run(folder, Prompt, "--max-tokens", "5");
        folder.Shard(twin);
        ToolResult parts = Run(folder, Prompt, "--max-tokens", "5");
        Assert.Equal(0, whole.ExitCode);
        Assert.Equal(whole.Output, parts.Output);
    }

    [Fact]
    public void An_end_token_ends_the_text_and_is_not_written()
    {
        TwinModel twin = Gpt2();
        int[] tokens = twin.Continue(PromptTokens, 6).Tokens;
        int end = Array.FindIndex(tokens, token => token != tokens[0]);
        Assert.True(end > 0, "The model repeats its first token: choose another seed.");
        using ModelFolder folder = new(twin, "gpt2", config => config["eos_token_id"] = new JsonArray(5000, tokens[end]));
        Assert.Equal(Text(tokens[..end]) + Environment.NewLine, Run(folder, Prompt, "--max-tokens", "20").Output);

        // As in transformers, the file about generation is the one that says it, where it is there.
        folder.Write("generation_config.json", $$"""{ "eos_token_id": {{tokens[0]}} }""");
        Assert.Equal(Environment.NewLine, Run(folder, Prompt, "--max-tokens", "20").Output);
    }

    [Fact]
    public void A_seed_gives_the_same_text_again_and_another_another()
    {
        using ModelFolder folder = new(Llama(), "llama");
        string[] options = ["--temperature", "1.5", "--top-p", "0.95", "--max-tokens", "20"];
        string first = Run(folder, Prompt, [.. options, "--seed", "1"]).Output;
        Assert.Equal(first, Run(folder, Prompt, [.. options, "--seed", "1"]).Output);
        Assert.NotEqual(first, Run(folder, Prompt, [.. options, "--seed", "2"]).Output, StringComparer.Ordinal);
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("float16")]
    [InlineData("bfloat16")]
    [InlineData("int8")]
    public void Weights_are_kept_in_each_precision(string precision)
    {
        using ModelFolder folder = new(Llama(), "llama");
        ToolResult result = Run(folder, Prompt, "--max-tokens", "3", "--weights", precision);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("generation  2 tokens", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("f32")]
    [InlineData("f16")]
    [InlineData("BF16")]
    [InlineData("q8_0")]
    [InlineData("q4_1")]
    [InlineData("int4")]
    public void Keys_and_values_are_kept_in_each_type(string type)
    {
        using ModelFolder folder = new(Wide(), "llama");
        ToolResult result = Run(folder, Prompt, "--max-tokens", "3", "--cache-type", type);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("generation  2 tokens", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cache_type_that_heads_do_not_fit_is_an_error()
    {
        using ModelFolder folder = new(Llama(), "llama");
        Run(folder, Prompt, "--cache-type", "q8_0").ShouldBeBadInput("--cache-type q8_0: keeps groups of 32 numbers; the model's heads have 8.");
    }

    [Fact]
    public void Keys_that_are_no_numbers_are_an_error_where_integers_are_kept()
    {
        TwinModel twin = Wide();
        twin.Tensors["model.layers.0.input_layernorm.weight"].Numbers[0] = float.NaN;
        using ModelFolder folder = new(twin, "llama");
        Run(folder, Prompt, "--cache-type", "q8_0").ShouldBeBadInput($"--model {folder.Path}: gives no probabilities. A key cannot be kept as Int8Group32");
    }

    [Fact]
    public void A_text_ends_where_the_model_has_no_more_positions()
    {
        using ModelFolder folder = new(Gpt2(), "gpt2", static config => config["eos_token_id"] = null);
        // 64 positions, 3 of them the prompt's: 61 calls follow it, and the last token needs none.
        ToolResult result = Run(folder, Prompt, "--max-tokens", "500");
        Assert.Contains("--max-tokens 500: the model takes 64 tokens, so that at most 62 follow this prompt.", result.Error, StringComparison.Ordinal);
        Assert.Contains("generation  61 tokens", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_that_compute_nothing_are_left_out()
    {
        TwinModel twin = Gpt2();
        using ModelFolder folder = new(twin, "gpt2");
        folder.WriteTensors("model.safetensors", twin.Tensors
            .Append(new("h.0.attn.bias", new("F32", [1, 1, 2, 2], [1, 0, 1, 1])))
            .Append(new("h.1.attn.masked_bias", new("F32", [], [-1e4f])))
            .Append(new("lm_head.weight", twin.Tensors["wte.weight"])));
        Assert.Equal(Text(twin.Continue(PromptTokens, 3).Tokens) + Environment.NewLine, Run(folder, Prompt, "--max-tokens", "3").Output);
    }

    [Theory]
    [InlineData("model_type", "\"bert\"", "entry 'model_type' is 'bert', which is not supported; expected llama, mistral, qwen2, qwen3, gpt2")]
    [InlineData("model_type", null, "has no 'model_type'")]
    [InlineData("hidden_act", "\"gelu\"", "entry 'hidden_act' is 'gelu', which is not supported; expected 'silu'")]
    [InlineData("num_hidden_layers", "0", "entry 'num_hidden_layers' is 0")]
    [InlineData("num_hidden_layers", "200000000", "entry 'num_hidden_layers' is 200000000; expected at most 1024")]
    [InlineData("num_key_value_heads", "4", "entry 'num_key_value_heads' is 4; expected a divisor of the 6 heads")]
    [InlineData("head_dim", "7", "gives heads of 7 elements; a rotary embedding needs an even number")]
    [InlineData("head_dim", "2048", "gives heads of 2048 elements; expected at most 1024")]
    [InlineData("rms_norm_eps", "-1", "entry 'rms_norm_eps' is out of its range")]
    [InlineData("vocab_size", "2000000000", "gives a matrix of 96000000000 elements")]
    [InlineData("rope_theta", "0", "entry 'rope_theta' is not positive")]
    [InlineData("rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 2}", "entry 'rope_scaling.rope_type' is 'yarn', which is not supported; expected default, linear or llama3")]
    [InlineData("rope_scaling", "{\"rope_type\": \"linear\"}", "entry 'rope_scaling' has no 'factor'")]
    [InlineData("rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 4, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 8}", "entry 'rope_scaling.high_freq_factor' is 4")]
    [InlineData("use_sliding_window", "true", "entry 'use_sliding_window' is true, which is not supported")]
    public void A_configuration_that_is_not_computed_is_an_error_that_names_the_entry(string name, string? value, string message)
    {
        using ModelFolder folder = new(Llama(), "llama", config =>
        {
            if (value is null)
                config.Remove(name);
            else
                config[name] = JsonNode.Parse(value);
        });
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.File("config.json")}: ", message);
    }

    [Theory]
    [InlineData("scale_attn_by_inverse_layer_idx", "true", "entry 'scale_attn_by_inverse_layer_idx' is true, which is not supported")]
    [InlineData("activation_function", "\"mish\"", "entry 'activation_function' is 'mish', which is not supported")]
    [InlineData("n_layer", "1025", "entry 'n_layer' is 1025; expected at most 1024")]
    [InlineData("n_head", "5", "entry 'n_embd' is 48; expected a multiple of 'n_head', 5")]
    public void So_it_is_for_gpt2(string name, string value, string message)
    {
        using ModelFolder folder = new(Gpt2(), "gpt2", config => config[name] = JsonNode.Parse(value));
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.File("config.json")}: ", message);
    }

    [Fact]
    public void Tensors_that_do_not_fit_are_errors_that_name_file_and_tensor()
    {
        TwinModel twin = Llama();
        using ModelFolder folder = new(twin, "llama");
        const string Name = "model.layers.2.mlp.up_proj.weight";
        Dictionary<string, TwinModel.Tensor> tensors = new(twin.Tensors, StringComparer.Ordinal) { [Name] = new("F32", [48, 130], twin.Tensors[Name].Numbers) };
        folder.WriteTensors("model.safetensors", tensors);
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.File("model.safetensors")}: has tensor '{Name}' of shape [48, 130]; expected [130, 48]");

        tensors.Remove(Name);
        folder.WriteTensors("model.safetensors", tensors);
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.Path}: has no tensor '{Name}'");

        folder.WriteTensors("model.safetensors", twin.Tensors.Append(new("model.layers.0.self_attn.q_proj.bias", new("F32", [48], new float[48]))));
        Run(folder, Prompt).ShouldBeBadInput($"{folder.File("model.safetensors")}: has tensor 'model.layers.0.self_attn.q_proj.bias' of F32 [48], whose use is not known");

        folder.WriteTensors("model.safetensors", twin.Tensors.Select(static pair => pair.Key == Name ? new(Name, new("U8", [130, 48], pair.Value.Numbers)) : pair));
        Run(folder, Prompt).ShouldBeBadInput($"{folder.File("model.safetensors")}: has tensor '{Name}' of U8; expected F32, F16 or BF16");
    }

    [Fact]
    public void A_file_that_is_absent_is_named()
    {
        using ModelFolder folder = new(Llama(), "llama");
        File.Delete(folder.File("model.safetensors"));
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.Path}: has neither model.safetensors nor model.safetensors.index.json.");
        File.Delete(folder.File("config.json"));
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.Path}: has no config.json.");
    }

    [Fact]
    public void An_index_that_does_not_fit_is_an_error_that_names_the_entry()
    {
        TwinModel twin = Llama();
        using ModelFolder folder = new(twin, "llama");
        string index = $"--model {folder.File("model.safetensors.index.json")}: entry 'weight_map.model.norm.weight' ";
        folder.Shard(twin, static map => map["model.norm.weight"] = "../other.safetensors");
        Run(folder, Prompt).ShouldBeBadInput(index + "is '../other.safetensors'; expected the name of a safetensors file in the same folder");
        folder.Shard(twin, static map => map["model.norm.weight"] = "other.safetensors");
        Run(folder, Prompt).ShouldBeBadInput(index + "is 'other.safetensors', a file that is not there");
        folder.Shard(twin, static map => map["model.norm.weight"] = map["model.norm.weight"]!.GetValue<string>().Contains("-00001-", StringComparison.Ordinal) ? "model-00002-of-00002.safetensors" : "model-00001-of-00002.safetensors");
        Run(folder, Prompt).ShouldBeBadInput(index, "a file without such a tensor");
    }

    [Fact]
    public void Weights_that_are_no_numbers_are_an_error()
    {
        TwinModel twin = Llama();
        twin.Tensors["model.norm.weight"].Numbers[0] = float.NaN;
        using ModelFolder folder = new(twin, "llama");
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.Path}: gives no probabilities. The logit of token 0 is NaN");
    }

    [Theory]
    [InlineData("int8", float.PositiveInfinity, "cannot be kept as Int8")]
    [InlineData("float16", 1e6f, "cannot be kept as Float16")]
    public void Weights_that_a_precision_cannot_hold_are_an_error_that_names_the_tensor(string precision, float weight, string message)
    {
        foreach (string name in new[] { "model.layers.1.self_attn.q_proj.weight", "model.layers.3.mlp.down_proj.weight" })
        {
            TwinModel twin = Llama();
            twin.Tensors[name].Numbers[5] = weight;
            using ModelFolder folder = new(twin, "llama");
            Run(folder, Prompt, "--weights", precision).ShouldBeBadInput($"--model {folder.File("model.safetensors")}: tensor '{name}' ", message);
        }
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("model.safetensors")]
    [InlineData("generation_config.json")]
    public void A_device_among_the_files_is_an_error_that_names_it(string name)
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero.");
        using ModelFolder folder = new(Llama(), "llama");
        File.Delete(folder.File(name));
        File.CreateSymbolicLink(folder.File(name), "/dev/zero");
        Run(folder, Prompt).ShouldBeBadInput($"--model {folder.File(name)}: is empty, or a pipe or device");
    }

    [Fact]
    public void A_prompt_that_does_not_fit_is_an_error()
    {
        using ModelFolder folder = new(Gpt2(), "gpt2");
        Run(folder, new string('x', 64)).ShouldBeBadInput("The prompt has 65 tokens; the model takes 64.");
        folder.WriteTokenizer(static tokenizer => tokenizer["post_processor"] = null);
        Run(folder, "").ShouldBeBadInput("The prompt is empty, and this model's texts begin with no token of their own.");
        folder.WriteTokenizer(static tokenizer => tokenizer["added_tokens"]![0]!["id"] = 300);
        Run(folder, "<b>").ShouldBeBadInput("the tokenizer gives token 300; the model has 300, 'vocab_size' of config.json");
    }

    [Theory]
    [InlineData("--model is missing", "text")]
    [InlineData("A prompt is missing", "--model", ".")]
    [InlineData("--model /nowhere: no such folder", "--model", "/nowhere", "text")]
    [InlineData("--model: is empty; expected a folder", "--model", "", "text")]
    [InlineData("--layers: needs --random", "--model", ".", "text", "--layers", "2")]
    [InlineData("--temperature is missing", "--model", ".", "text", "--top-p", "0.5")]
    [InlineData("--temperature is missing", "--model", ".", "text", "--seed", "5")]
    [InlineData("--top-p 0: expected a number above 0, at most 1", "--model", ".", "text", "--temperature", "1", "--top-p", "0")]
    [InlineData("--temperature -1: expected a number from 0 to 100", "--model", ".", "text", "--temperature", "-1")]
    [InlineData("--weights int4: expected float32, float16, bfloat16, int8", "--model", ".", "text", "--weights", "int4")]
    [InlineData("--cache-type int8: expected f32, f16, bf16, q8_0, q4_1, int4", "--model", ".", "text", "--cache-type", "int8")]
    [InlineData("--random none: expected llama-3.2-1b or gpt2", "--random", "none")]
    [InlineData("--random: takes neither --model nor a prompt", "--random", "gpt2", "text")]
    [InlineData("--seed: with --random there is no text to choose for", "--random", "gpt2", "--seed", "1")]
    [InlineData("--max-tokens 1: expected at least 2 with --random", "--random", "gpt2", "--max-tokens", "1")]
    public void Options_that_do_not_fit_are_errors(string message, params string[] options) =>
        ToolResult.Of(["generate", .. options]).ShouldBeBadInput(message);

    [Fact]
    public void A_random_model_is_measured_against_the_memory()
    {
        ToolResult result = ToolResult.Of("generate", "--random", "gpt2", "--layers", "1", "--weights", "int8", "--cache-type", "q8_0", "--max-tokens", "3");
        Assert.Equal("", result.Error);
        Assert.Equal(0, result.ExitCode);
        string[] lines = result.Output.TrimEnd().Split(Environment.NewLine);
        Assert.Equal(5, lines.Length);
        // One layer of 768·2304 + 768·768 + 2·768·3072 weights, 50257·768 for the logits: 45,675,264 bytes and 57,169 scales of 4 bytes.
        Assert.StartsWith("weights     0.046 GB in Int8, 1 layers", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("prompt      128 tokens in ", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("generation  2 tokens in ", lines[3], StringComparison.Ordinal);
        Assert.Matches(@"^read        [0-9.]+ GB/s of weights, [0-9.]+ % of the [0-9.]+ GB/s that the memory gives$", lines[4]);
    }

    [Fact]
    public void The_size_of_a_1b_model_is_llama_3_2s()
    {
        DecoderConfig config = DecoderShapes.Find("llama-3.2-1b")!;
        long perLayer = config.ModelDim * (2L * config.HeadDim * (config.Heads + config.KeyValueHeads) + 3L * config.FeedForwardDim) + 2 * config.ModelDim;
        // The parameters of the published model.
        Assert.Equal(1_235_814_400, config.Layers * perLayer + (long)config.VocabularySize * config.ModelDim + config.ModelDim);
    }

    // Heads of 32 numbers, as groups have.
    private static TwinModel Wide() => new TwinModel { Heads = 2, KeyValueHeads = 1, HeadDim = 32, Layers = 2, Frequency = TwinModel.Rotary(10000, 32) }.WithWeights();

    private static ToolResult Run(ModelFolder folder, string prompt, params string[] options) => ToolResult.Of(["generate", "--model", folder.Path, .. options, prompt]);

    // Token b below 256 is byte b; the merges are those of the tokenizer. Tokens from 263 to 296 have no text, and 298 and 299 are special.
    private static string Text(int[] tokens)
    {
        string[] merged = ["he", "ll", "hell", "hello", " w", " wo", "world"];
        byte[] bytes = [.. tokens.SelectMany(token => token switch
        {
            < 256 => [(byte)token],
            < 263 => Encoding.UTF8.GetBytes(merged[token - 256]),
            297 => Encoding.UTF8.GetBytes("<b>"),
            _ => (byte[])[],
        })];
        return Encoding.UTF8.GetString(bytes);
    }
}
