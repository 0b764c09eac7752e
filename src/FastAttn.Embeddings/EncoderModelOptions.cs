namespace FastAttn.Embeddings;

/// <summary>How an <see cref="EncoderModel"/> keeps its weights.</summary>
public sealed record EncoderModelOptions
{
    /// <summary>
    /// How the matrices of layers and the table of token embeddings are kept, rounded as <see cref="LinearLayerOptions.WeightPrecision"/> says, whatever type the file
    /// has; an 8-bit table has a scale for each token. Biases, norms and the tables of positions and types are float32, and so is all arithmetic.
    /// </summary>
    public WeightPrecision WeightPrecision { get; init; }
}
