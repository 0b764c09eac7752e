using System;

namespace FastAttn.Runtime;

/// <summary>One validated call of a layer.</summary>
internal ref struct LayerCall
{
    /// <summary>[B, L_q, query input]; empty where only keys and values are projected.</summary>
    public ReadOnlySpan<float> Query;

    /// <summary>[B, L_k, key input]; empty where keys and values are those of <see cref="Cache"/>.</summary>
    public ReadOnlySpan<float> Key;

    /// <summary>[B, L_k, value input], likewise.</summary>
    public ReadOnlySpan<float> Value;

    /// <summary>[B, L_q, d_model].</summary>
    public Span<float> Output;

    /// <summary>[B, h, L_q, L_k]: the weights of the softmax; empty where they are not wanted.</summary>
    public Span<float> AttentionWeights;

    /// <summary>[axes, B, L_q]: the positions of the queries; empty where they follow from an offset.</summary>
    public ReadOnlySpan<int> QueryPositions;

    /// <summary>[axes, B, L_k]: the positions of the keys, likewise.</summary>
    public ReadOnlySpan<int> KeyPositions;

    public int Batch;
    public int QueryLength;

    /// <summary>Tokens in <see cref="Key"/>.</summary>
    public int KeyLength;

    /// <summary>Where projected keys and values are kept; null to forget them.</summary>
    public KeyValueCache? Cache;

    /// <summary>Whether <see cref="Key"/> and <see cref="Value"/> are appended to the cache.</summary>
    public bool Appends;

    /// <summary>For each sequence how many of its tokens are appended; all where empty.</summary>
    public ReadOnlySpan<int> Lengths;

    /// <summary>Whether query, key and value are one input.</summary>
    public bool IsSelf;

    /// <summary>How the call runs.</summary>
    public AttentionExecution Execution;
}
