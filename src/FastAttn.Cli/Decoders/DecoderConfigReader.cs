using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Decoders;

/// <summary>Reads <c>config.json</c> of a decoder as Hugging Face's transformers write it. What it asks for and is not computed here is an error.</summary>
internal static class DecoderConfigReader
{
    /// <summary>The file that says what a model is.</summary>
    public const string FileName = "config.json";

    private const string GenerationFile = "generation_config.json", EndToken = "eos_token_id";

    private static readonly Dictionary<string, Func<JsonEntry, DecoderConfig>> Readers = new(StringComparer.Ordinal)
    {
        ["llama"] = static root => ReadLlama(root) with { HasQkvBias = Has(root, "attention_bias"), HasOutputBias = Has(root, "attention_bias") },
        ["mistral"] = static root => ReadLlama(root) with { Window = root.Find("sliding_window")?.AsInteger(1) is { } keys ? AttentionWindow.Sliding(keys) : null },
        ["qwen2"] = static root => ReadLlama(root) with { HasQkvBias = true },
        ["qwen3"] = static root => ReadLlama(root) with { HasQkvBias = Has(root, "attention_bias"), HasOutputBias = Has(root, "attention_bias"), HasHeadNorms = true },
        ["gpt2"] = ReadGpt2,
    };

    /// <summary>Reads the configuration of a model's folder.</summary>
    /// <exception cref="InvalidDataException">There is no such file, or the model is not one that is computed here; the message names the file and the entry.</exception>
    public static DecoderConfig Read(string folder)
    {
        using JsonFile file = JsonFile.ReadIfThere(folder, FileName) ?? throw new InvalidDataException($"{Printable.Of(folder)}: has no {FileName}.");
        JsonEntry root = file.Root, type = root.Get("model_type");
        if (!Readers.TryGetValue(type.AsText(), out Func<JsonEntry, DecoderConfig>? read))
            throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected {string.Join(", ", Readers.Keys)}.");
        DecoderConfig config = read(root);
        if (config.Heads % config.KeyValueHeads != 0)
            throw root.Get("num_key_value_heads").Error($"is {config.KeyValueHeads}; expected a divisor of the {config.Heads} heads.");
        RequireSize(root, (long)config.VocabularySize * config.ModelDim);
        RequireSize(root, (long)config.ModelDim * Math.Max(config.FeedForwardDim, (long)config.Heads * config.HeadDim * 3));

        // As in transformers, what ends a generated text is said in a file of its own, where there is one.
        using JsonFile? generation = JsonFile.ReadIfThere(folder, GenerationFile);
        JsonEntry? end = generation?.Root.Find(EndToken) ?? root.Find(EndToken);
        return config with { EndTokens = end is { } entry ? ReadTokens(entry) : [] };
    }

    private static DecoderConfig ReadLlama(JsonEntry root)
    {
        int modelDim = root.Get("hidden_size").AsInteger(1), heads = root.Get("num_attention_heads").AsInteger(1);
        int headDim = RequireHeadDim(root, root.Find("head_dim")?.AsInteger(1) ?? Divide(root, "hidden_size", modelDim, "num_attention_heads", heads));
        root.Require("hidden_act", "silu");
        root.Require("use_sliding_window", expected: false);
        return new()
        {
            Family = DecoderFamily.Llama,
            VocabularySize = root.Get("vocab_size").AsInteger(1),
            ModelDim = modelDim,
            Layers = ReadLayers(root.Get("num_hidden_layers")),
            Heads = heads,
            KeyValueHeads = root.Find("num_key_value_heads")?.AsInteger(1) ?? heads,
            HeadDim = headDim,
            FeedForwardDim = root.Get("intermediate_size").AsInteger(1),
            MaxTokens = root.Get("max_position_embeddings").AsInteger(1),
            NormEpsilon = (float)(root.Find("rms_norm_eps") is { } epsilon ? NotNegative(epsilon) : 1e-6),
            Rotary = RotaryReader.Read(root, headDim),
            Activation = Activation.Silu,
            HasFeedForwardBias = Has(root, "mlp_bias"),
            IsHeadTied = Has(root, "tie_word_embeddings"),
        };
    }

    private static DecoderConfig ReadGpt2(JsonEntry root)
    {
        int modelDim = root.Get("n_embd").AsInteger(1), heads = root.Get("n_head").AsInteger(1);
        root.Require("scale_attn_by_inverse_layer_idx", expected: false);
        root.Require("add_cross_attention", expected: false);
        return new()
        {
            Family = DecoderFamily.Gpt2,
            VocabularySize = root.Get("vocab_size").AsInteger(1),
            ModelDim = modelDim,
            Layers = ReadLayers(root.Get("n_layer")),
            Heads = heads,
            KeyValueHeads = heads,
            HeadDim = RequireHeadDim(root, Divide(root, "n_embd", modelDim, "n_head", heads)),
            FeedForwardDim = root.Find("n_inner")?.AsInteger(1) ?? (int)Math.Min(4L * modelDim, int.MaxValue),
            MaxTokens = root.Get("n_positions").AsInteger(1),
            NormEpsilon = (float)(root.Find("layer_norm_epsilon") is { } epsilon ? NotNegative(epsilon) : 1e-5),
            Scale = root.FindBoolean("scale_attn_weights") is false ? 1 : null,
            Activation = ReadActivation(root),
            HasQkvBias = true,
            HasOutputBias = true,
            HasFeedForwardBias = true,
            IsHeadTied = root.FindBoolean("tie_word_embeddings") ?? true,
        };
    }

    private static int ReadLayers(JsonEntry entry)
    {
        // More than any model has would only make room that nothing fills.
        const int Max = 1 << 10;
        int layers = entry.AsInteger(1);
        return layers <= Max ? layers : throw entry.Error($"is {layers}; expected at most {Max}.");
    }

    private static Activation ReadActivation(JsonEntry root) => root.Find("activation_function") is not { } entry ? Activation.GeluTanh : entry.AsText() switch
    {
        "gelu_new" or "gelu_pytorch_tanh" => Activation.GeluTanh,
        "gelu" => Activation.Gelu,
        "relu" => Activation.Relu,
        "silu" or "swish" => Activation.Silu,
        string other => throw entry.Error($"is '{Printable.Of(other)}', which is not supported; expected gelu_new, gelu_pytorch_tanh, gelu, relu or silu."),
    };

    private static bool Has(JsonEntry root, string name) => root.FindBoolean(name) ?? false;

    private static int Divide(JsonEntry root, string name, int size, string countName, int count) =>
        size % count == 0 ? size / count : throw root.Get(name).Error($"is {size}; expected a multiple of '{countName}', {count}.");

    private static int RequireHeadDim(JsonEntry root, int headDim) =>
        headDim <= ScaledDotProductAttention.MaxDim ? headDim : throw root.Error($"gives heads of {headDim} elements; expected at most {ScaledDotProductAttention.MaxDim}.");

    private static double NotNegative(JsonEntry entry) => entry.AsNumber() is >= 0 and <= 1 and var number ? number : throw entry.Error("is out of its range; expected 0 to 1.");

    private static void RequireSize(JsonEntry root, long elements)
    {
        if (elements > Array.MaxLength)
            throw root.Error($"gives a matrix of {elements} elements; {Array.MaxLength} are the most.");
    }

    private static int[] ReadTokens(JsonEntry entry) => entry.IsNumber ? [entry.AsInteger(0)] : [.. entry.Items().Select(static item => item.AsInteger(0))];
}
