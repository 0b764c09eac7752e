namespace FastAttn;

/// <summary>How a <see cref="MultiHeadAttention"/> layer normalises queries and keys, with factors g and biases b.</summary>
/// <remarks>Means, differences and roots are computed in double and rounded to float32 once, before the factor: with the same bits on every CPU.</remarks>
public enum NormKind
{
    /// <summary><c>x·g / √(mean(x²) + ε) + b</c> (RMSNorm, arXiv 1910.07467): Qwen3, Gemma 3, OLMo 2.</summary>
    Rms = 0,

    /// <summary><c>(x − mean(x))·g / √(mean((x − mean(x))²) + ε) + b</c> (layer normalisation, arXiv 1607.06450): Cohere, StableLM 2, ViT-22B.</summary>
    Layer = 1,
}
