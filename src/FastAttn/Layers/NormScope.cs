namespace FastAttn;

/// <summary>The elements over which a <see cref="MultiHeadAttention"/> layer takes the means of its normalisation of queries and keys.</summary>
public enum NormScope
{
    /// <summary>Over the d_k elements of each head: Qwen3, Gemma 3, Chameleon.</summary>
    Head = 0,

    /// <summary>Over the elements of all heads of a token at once, h·d_k of a query and h_kv·d_k of a key: OLMo 2.</summary>
    AllHeads = 1,
}
