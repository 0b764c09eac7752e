using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli;

/// <summary>The tensors of one normalisation, that of queries or that of keys.</summary>
/// <param name="Factors">g, one for each element of a head or of all heads.</param>
/// <param name="Bias">b, of the same shape; null for none.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Scope">Over which elements it takes its means; null where one head is all there is.</param>
internal sealed record NormTensors(TensorInfo Factors, TensorInfo? Bias, NormKind Kind, NormScope? Scope);
