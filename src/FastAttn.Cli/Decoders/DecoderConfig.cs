using System.Collections.Generic;

namespace FastAttn.Cli.Decoders;

/// <summary>What a decoder is, apart from its weights.</summary>
internal sealed record DecoderConfig
{
    /// <summary>How its blocks are made.</summary>
    public required DecoderFamily Family { get; init; }

    /// <summary>V: the tokens that there are.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>d: the floats of a token between blocks.</summary>
    public required int ModelDim { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key-value heads, a divisor of <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>d_k and d_v.</summary>
    public required int HeadDim { get; init; }

    /// <summary>f: the floats of a token inside the feed-forward part.</summary>
    public required int FeedForwardDim { get; init; }

    /// <summary>The tokens, prompt included, that the model was made for; with learned positions it has no more.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>ε of all norms.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>The rotary embedding; null where positions are learned.</summary>
    public RotaryEmbedding? Rotary { get; init; }

    /// <summary>The keys that a query sees, its own included; null for all before it.</summary>
    public AttentionWindow? Window { get; init; }

    /// <summary>The factor of the scores; null for 1/√d_k.</summary>
    public float? Scale { get; init; }

    /// <summary>What follows the first matrix of the feed-forward part.</summary>
    public required Activation Activation { get; init; }

    /// <summary>Whether the matrix that gives logits is that of the embeddings.</summary>
    public bool IsHeadTied { get; init; }

    /// <summary>Whether the projections of queries, keys and values have biases.</summary>
    public bool HasQkvBias { get; init; }

    /// <summary>Whether the output projection of attention has a bias.</summary>
    public bool HasOutputBias { get; init; }

    /// <summary>Whether the matrices of the feed-forward part have biases.</summary>
    public bool HasFeedForwardBias { get; init; }

    /// <summary>Whether each head of queries and keys has an RMS norm before its positions (Qwen3).</summary>
    public bool HasHeadNorms { get; init; }

    /// <summary>The tokens that end a text.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];
}
