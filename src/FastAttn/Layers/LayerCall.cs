using System;

namespace FastAttn.Runtime;

/// <summary>One validated call of a layer.</summary>
internal ref struct LayerCall
{
    /// <summary>A row of the query input for each token of <see cref="Queries"/>; empty if only keys and values are projected.</summary>
    public ReadOnlySpan<float> Query;

    /// <summary>A row of the key input for each token of <see cref="Keys"/>; empty if keys and values come from <see cref="Cache"/>.</summary>
    public ReadOnlySpan<float> Key;

    /// <summary>The value input, likewise.</summary>
    public ReadOnlySpan<float> Value;

    /// <summary>d_model floats for each token of <see cref="Queries"/>.</summary>
    public Span<float> Output;

    /// <summary>[B, h, L_q, L_k]: the weights of the softmax; empty if they are not requested.</summary>
    public Span<float> AttentionWeights;

    /// <summary>[axes, tokens]: the positions of the queries; empty if they follow from an offset.</summary>
    public ReadOnlySpan<int> QueryPositions;

    /// <summary>[axes, tokens]: the positions of the keys, likewise.</summary>
    public ReadOnlySpan<int> KeyPositions;

    public int Batch;

    /// <summary>The tokens of <see cref="Query"/>.</summary>
    public BatchTokens Queries;

    /// <summary>The tokens of <see cref="Key"/> and <see cref="Value"/>.</summary>
    public BatchTokens Keys;

    /// <summary>Where projected keys and values are kept; null if they are not.</summary>
    public AttentionCache? Cache;

    /// <summary>Whether <see cref="Key"/> and <see cref="Value"/> are appended to the cache.</summary>
    public bool Appends;

    /// <summary>The parameter of <see cref="Key"/>, if it is appended.</summary>
    public string KeyName;

    /// <summary>The parameter of <see cref="Value"/>, likewise.</summary>
    public string ValueName;

    /// <summary>Whether query, key and value are one input.</summary>
    public bool IsSelf;

    /// <summary>How the call runs.</summary>
    public AttentionExecution Execution;
}
