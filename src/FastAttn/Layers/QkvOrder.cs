namespace FastAttn;

/// <summary>The order of the outputs of <see cref="MultiHeadAttentionWeights.Qkv"/> and of its biases.</summary>
/// <remarks>A matrix does not show its order: with the wrong one a layer computes something else, and nothing is thrown.</remarks>
public enum QkvOrder
{
    /// <summary>
    /// The queries of all heads, then the keys of all, then the values of all: [h·d_k + h_kv·d_k + h_kv·d_v]. PyTorch's
    /// <c>in_proj_weight</c>, GPT-2's <c>c_attn</c>, Phi-3's and MPT's matrices.
    /// </summary>
    Concatenated = 0,

    /// <summary>
    /// For each key-value head the queries of its h / h_kv query heads, then its key, then its value: [h_kv, (h / h_kv)·d_k + d_k + d_v].
    /// GPT-NeoX's, Pythia's and BLOOM's [h, 3, d], where every query head has a key; InternLM 2's and Falcon's [h_kv, h / h_kv + 2, d], where
    /// several share one.
    /// </summary>
    PerKeyValueHead = 1,
}
