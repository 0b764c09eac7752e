namespace FastAttn.Embeddings;

/// <summary>How an <see cref="EncoderModel"/> keeps its weights.</summary>
public sealed record EncoderModelOptions
{
}
