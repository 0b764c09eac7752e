using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Loading;

/// <summary>Reads a model's <c>config.json</c>, and refuses what is computed otherwise than here.</summary>
internal static class ConfigurationReader
{
    /// <summary>Reads the configuration.</summary>
    /// <exception cref="InvalidDataException">It is of another model than BERT's encoder; the message names the file and the entry.</exception>
    public static EncoderConfiguration Read(JsonFile file)
    {
        // More layers or wider ones than any model has would only make room that nothing fills.
        const int MaxSize = 1 << 20, MaxLayers = 1 << 10;
        JsonEntry root = file.Root;
        JsonEntry type = root.Get("model_type");
        if (type.AsText() != "bert")
            throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected 'bert'.");
        root.Require("position_embedding_type", "absolute");
        root.Require("is_decoder", expected: false);
        root.Require("add_cross_attention", expected: false);
        root.Require("is_encoder_decoder", expected: false);
        if (root.Find("quantization_config") is { } quantization)
            throw quantization.Error("is not supported; expected weights of F32, F16 or BF16.");

        var configuration = new EncoderConfiguration
        {
            HiddenSize = Size("hidden_size"),
            Layers = Size("num_hidden_layers", MaxLayers),
            Heads = Size("num_attention_heads"),
            IntermediateSize = Size("intermediate_size"),
            VocabularySize = Size("vocab_size", int.MaxValue),
            MaxPositions = Size("max_position_embeddings"),
            TokenTypes = Size("type_vocab_size"),
            Activation = ReadActivation(root.Get("hidden_act")),
            LayerNormEpsilon = ReadEpsilon(root),
        };
        int headDim = configuration.HiddenSize / configuration.Heads;
        if (headDim * configuration.Heads != configuration.HiddenSize || headDim > ScaledDotProductAttention.MaxDim)
            throw root.Get("num_attention_heads").Error($"is {configuration.Heads} with a hidden size of {configuration.HiddenSize}; expected a divisor that leaves heads of 1 to {ScaledDotProductAttention.MaxDim}.");
        return configuration;

        int Size(string name, int max = MaxSize)
        {
            int size = root.Get(name).AsInteger(1);
            return size <= max ? size : throw root.Get(name).Error($"is {size}; expected at most {max}.");
        }
    }

    private static Activation ReadActivation(JsonEntry entry) => entry.AsText() switch
    {
        "gelu" => Activation.Gelu,
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => Activation.GeluTanh,
        "relu" => Activation.Relu,
        "silu" or "swish" => Activation.Silu,
        string other => throw entry.Error($"is '{Printable.Of(other)}', which is not supported; expected gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, silu or swish."),
    };

    private static float ReadEpsilon(JsonEntry root)
    {
        const double Usual = 1e-12;
        if (root.Find("layer_norm_eps") is not { } entry)
            return (float)Usual;
        double epsilon = entry.AsNumber();
        return epsilon is >= 0 and <= 1 ? (float)epsilon : throw entry.Error("is no epsilon; expected 0 to 1.");
    }
}
