namespace FastAttn.Embeddings;

/// <summary>The sizes and functions of an encoder, as its <c>config.json</c> says or, where an ONNX file has none beside it, as its graph shows.</summary>
public sealed record EncoderConfiguration
{
    /// <summary>d_model: the floats of a hidden state (<c>hidden_size</c>).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>How many layers there are (<c>num_hidden_layers</c>).</summary>
    public required int Layers { get; init; }

    /// <summary>Heads of each attention (<c>num_attention_heads</c>); a head has <c>HiddenSize / Heads</c> floats.</summary>
    public required int Heads { get; init; }

    /// <summary>The floats between both linear layers of a feed-forward network (<c>intermediate_size</c>).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>How many tokens there are (<c>vocab_size</c>).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The most tokens of a sequence (<c>max_position_embeddings</c>).</summary>
    public required int MaxPositions { get; init; }

    /// <summary>How many types a token may have (<c>type_vocab_size</c>).</summary>
    public required int TokenTypes { get; init; }

    /// <summary>What follows the first linear layer of a feed-forward network (<c>hidden_act</c>).</summary>
    public required Activation Activation { get; init; }

    /// <summary>ε of all norms (<c>layer_norm_eps</c>).</summary>
    public required float LayerNormEpsilon { get; init; }
}
