namespace FastAttn.Embeddings;

/// <summary>What is known of texts that were encoded.</summary>
/// <param name="Tokens">How many tokens all of them had.</param>
/// <param name="IsCut">Which of them had more than the model takes.</param>
internal readonly record struct EncodedTexts(long Tokens, bool[] IsCut);
