using System;
using System.Collections.Generic;

namespace FastAttn.Cli.Decoders;

/// <summary>The sizes of published models, for measuring how fast they run without having their weights.</summary>
internal static class DecoderShapes
{
    private const int Llama3Context = 131072;

    private static readonly Dictionary<string, Func<DecoderConfig>> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["llama-3.2-1b"] = static () => new()
        {
            Family = DecoderFamily.Llama,
            VocabularySize = 128256,
            ModelDim = 2048,
            Layers = 16,
            Heads = 32,
            KeyValueHeads = 8,
            HeadDim = 64,
            FeedForwardDim = 8192,
            MaxTokens = Llama3Context,
            NormEpsilon = 1e-5f,
            Rotary = new(64, frequencyBase: 500000),
            Activation = Activation.Silu,
            IsHeadTied = true,
        },
        ["gpt2"] = static () => new()
        {
            Family = DecoderFamily.Gpt2,
            VocabularySize = 50257,
            ModelDim = 768,
            Layers = 12,
            Heads = 12,
            KeyValueHeads = 12,
            HeadDim = 64,
            FeedForwardDim = 3072,
            MaxTokens = 1024,
            NormEpsilon = 1e-5f,
            Activation = Activation.GeluTanh,
            HasQkvBias = true,
            HasOutputBias = true,
            HasFeedForwardBias = true,
            IsHeadTied = true,
        },
    };

    /// <summary>The models' names.</summary>
    public static IEnumerable<string> Names => Known.Keys;

    /// <summary>A model's sizes; null where it is not known.</summary>
    public static DecoderConfig? Find(string name) => Known.TryGetValue(name, out Func<DecoderConfig>? create) ? create() : null;
}
