using System;

namespace FastAttn;

/// <summary>
/// The weights of a <see cref="MultiHeadAttention"/> layer. They are copied when the layer is made. The outputs of a
/// projection are ordered by head: head 0, head 1, ….
/// </summary>
/// <remarks>
/// Either <see cref="Query"/>, <see cref="Key"/> and <see cref="Value"/> are given, or <see cref="QueryKeyValue"/>. A bias or
/// norm that is not given is absent.
/// </remarks>
public readonly ref struct MultiHeadAttentionWeights
{
    /// <summary>The order of all weight matrices.</summary>
    public WeightLayout Layout { get; init; }

    /// <summary>W_Q: h·d_k outputs of the query input.</summary>
    public ReadOnlySpan<float> Query { get; init; }

    /// <summary>W_K: h_kv·d_k outputs of the key input.</summary>
    public ReadOnlySpan<float> Key { get; init; }

    /// <summary>W_V: h_kv·d_v outputs of the value input.</summary>
    public ReadOnlySpan<float> Value { get; init; }

    /// <summary>
    /// W_Q, W_K and W_V as one matrix whose outputs are those of the query, then of the key, then of the value: PyTorch's
    /// <c>in_proj_weight</c>, GPT-2's <c>c_attn</c>. All inputs have the same dimension.
    /// </summary>
    public ReadOnlySpan<float> QueryKeyValue { get; init; }

    /// <summary>W_O: d_model outputs of the h·d_v floats that the heads give.</summary>
    public ReadOnlySpan<float> Output { get; init; }

    /// <summary>h·d_k floats.</summary>
    public ReadOnlySpan<float> QueryBias { get; init; }

    /// <summary>h_kv·d_k floats.</summary>
    public ReadOnlySpan<float> KeyBias { get; init; }

    /// <summary>h_kv·d_v floats.</summary>
    public ReadOnlySpan<float> ValueBias { get; init; }

    /// <summary>The biases of query, key and value, one after the other, in place of the three.</summary>
    public ReadOnlySpan<float> QueryKeyValueBias { get; init; }

    /// <summary>d_model floats.</summary>
    public ReadOnlySpan<float> OutputBias { get; init; }

    /// <summary>
    /// d_k factors of an RMS normalisation of each head's query (arXiv 1910.07467), before the rotary embedding:
    /// <c>x·g / √(mean(x²) + ε)</c>.
    /// </summary>
    public ReadOnlySpan<float> QueryNorm { get; init; }

    /// <summary>As <see cref="QueryNorm"/>, of each head's key.</summary>
    public ReadOnlySpan<float> KeyNorm { get; init; }
}
