using System;

namespace FastAttn;

/// <summary>
/// The weights of a <see cref="MultiHeadAttention"/> layer. They are copied when the layer is made. The outputs of a
/// projection are ordered by head: head 0, head 1, …, except those of <see cref="Qkv"/>, whose order is set separately.
/// </summary>
/// <remarks>
/// Either <see cref="Query"/>, <see cref="Key"/> and <see cref="Value"/> are given, or <see cref="Qkv"/>. A bias or
/// norm that is not given is absent.
/// </remarks>
public readonly ref struct MultiHeadAttentionWeights
{
    /// <summary>The order of all weight matrices; by default <see cref="WeightLayout.OutputInput"/>, PyTorch's.</summary>
    public WeightLayout Layout { get; init; }

    /// <summary>W_Q: h·d_k outputs of the query input.</summary>
    public ReadOnlySpan<float> Query { get; init; }

    /// <summary>W_K: h_kv·d_k outputs of the key input.</summary>
    public ReadOnlySpan<float> Key { get; init; }

    /// <summary>W_V: h_kv·d_v outputs of the value input.</summary>
    public ReadOnlySpan<float> Value { get; init; }

    /// <summary>
    /// W_Q, W_K and W_V as one matrix with h·d_k + h_kv·d_k + h_kv·d_v outputs, in the order <see cref="QkvOrder"/>. All inputs have
    /// the same dimension.
    /// </summary>
    public ReadOnlySpan<float> Qkv { get; init; }

    /// <summary>The order of the outputs in <see cref="Qkv"/> and of <see cref="QkvBias"/>; models differ.</summary>
    public QkvOrder QkvOrder { get; init; }

    /// <summary>W_O: d_model outputs of the h·d_v floats that the heads give.</summary>
    public ReadOnlySpan<float> Output { get; init; }

    /// <summary>h·d_k floats.</summary>
    public ReadOnlySpan<float> QueryBias { get; init; }

    /// <summary>h_kv·d_k floats.</summary>
    public ReadOnlySpan<float> KeyBias { get; init; }

    /// <summary>h_kv·d_v floats.</summary>
    public ReadOnlySpan<float> ValueBias { get; init; }

    /// <summary>The biases of query, key and value instead of the three: h·d_k + h_kv·d_k + h_kv·d_v floats in the order <see cref="QkvOrder"/>.</summary>
    public ReadOnlySpan<float> QkvBias { get; init; }

    /// <summary>d_model floats.</summary>
    public ReadOnlySpan<float> OutputBias { get; init; }

    /// <summary>
    /// g: the factors of the normalisation of queries that <see cref="MultiHeadAttentionOptions.NormKind"/> and the options beside it describe;
    /// empty for no normalisation. h·d_k floats, or, if each head is normalised on its own, d_k floats shared by all heads. Use ones if a
    /// model normalises without factors.
    /// </summary>
    public ReadOnlySpan<float> QueryNorm { get; init; }

    /// <summary>b: as many floats as <see cref="QueryNorm"/>, added after it; empty for none.</summary>
    public ReadOnlySpan<float> QueryNormBias { get; init; }

    /// <summary>As <see cref="QueryNorm"/>, for keys: h_kv·d_k floats or d_k.</summary>
    public ReadOnlySpan<float> KeyNorm { get; init; }

    /// <summary>As <see cref="QueryNormBias"/>, for keys.</summary>
    public ReadOnlySpan<float> KeyNormBias { get; init; }
}
