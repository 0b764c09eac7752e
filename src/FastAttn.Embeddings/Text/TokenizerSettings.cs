using System.Collections.Generic;

namespace FastAttn.Embeddings.Text;

/// <summary>What a BERT tokenizer does to a text, and its tokens.</summary>
internal sealed record TokenizerSettings
{
    /// <summary>All tokens with their ids; those that continue a word begin with <see cref="ContinuingPrefix"/>.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>Tokens that are found in the text before it is normalised.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>The id of the token for words that cannot be made of tokens.</summary>
    public required int UnknownId { get; init; }

    /// <summary>The id of the token before each text.</summary>
    public required int FirstId { get; init; }

    /// <summary>The id of the token after each text.</summary>
    public required int LastId { get; init; }

    /// <summary>What tokens that continue a word begin with.</summary>
    public string ContinuingPrefix { get; init; } = "##";

    /// <summary>A word of more characters is unknown.</summary>
    public int MaxWordLength { get; init; } = 100;

    /// <summary>Whether control characters are removed and all whitespace counts as spaces.</summary>
    public bool CleansText { get; init; } = true;

    /// <summary>Whether each CJK ideograph is a word.</summary>
    public bool SplitsIdeographs { get; init; } = true;

    /// <summary>Whether letters lose their accents.</summary>
    public bool StripsAccents { get; init; } = true;

    /// <summary>Whether letters become small ones.</summary>
    public bool Lowercases { get; init; } = true;
}
