namespace FastAttn.Embeddings;

/// <summary>What a <see cref="FastAttnEmbeddingGenerator"/> does otherwise than its model's files say.</summary>
public sealed record FastAttnEmbeddingOptions
{
    /// <summary>How the encoder keeps its weights.</summary>
    public EncoderModelOptions Model { get; init; } = new();

    /// <summary>The model's id in metadata and results; the name of its folder where null.</summary>
    public string? ModelId { get; init; }

    /// <summary>
    /// How hidden states become one vector; null for what the model's <c>modules.json</c> says, or its <c>1_Pooling/config.json</c>, or else the mean.
    /// </summary>
    public PoolingMode? Pooling { get; init; }

    /// <summary>
    /// Whether vectors are divided by their length, so that their inner product is the cosine; null for what the model's <c>modules.json</c> says, and not where
    /// there is none.
    /// </summary>
    public bool? Normalize { get; init; }

    /// <summary>
    /// The most tokens of a text, its first and last token included; the rest is cut off. Null for what the model says (<c>max_seq_length</c> of
    /// <c>sentence_bert_config.json</c>, <c>model_max_length</c> of <c>tokenizer_config.json</c>), never more than it has positions.
    /// </summary>
    public int? MaxTokens { get; init; }

    /// <summary>As <see cref="AttentionExecution.MaxDegreeOfParallelism"/>, for each call.</summary>
    public int MaxDegreeOfParallelism { get; init; }
}
