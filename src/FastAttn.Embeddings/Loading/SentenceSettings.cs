namespace FastAttn.Embeddings.Loading;

/// <summary>What a model does with texts beside its encoder, as far as its files say.</summary>
/// <param name="Pooling">How hidden states become one vector; null where no file says.</param>
/// <param name="Normalizes">Whether that vector is divided by its length.</param>
/// <param name="MaxTokens">The most tokens of a text; null where no file says.</param>
/// <param name="Lowercases">Whether texts become small letters before the tokenizer.</param>
internal sealed record SentenceSettings(PoolingMode? Pooling, bool Normalizes, int? MaxTokens, bool Lowercases);
