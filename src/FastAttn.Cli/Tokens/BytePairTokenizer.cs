using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

using Microsoft.ML.Tokenizers;

namespace FastAttn.Cli.Tokens;

/// <summary>
/// A byte-level BPE tokenizer: special tokens are cut out, then words, and each word's bytes are merged pair by pair (arXiv 1508.07909), which
/// Microsoft.ML.Tokenizers does.
/// </summary>
internal sealed class BytePairTokenizer
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<string, int> _special;
    private readonly Regex? _specialPattern;
    private readonly BpeTokenizer _merging;

    /// <summary>Makes a tokenizer.</summary>
    /// <param name="vocabulary">Tokens as <see cref="ByteAlphabet"/> writes them.</param>
    /// <param name="merges">Pairs of tokens, with a space between, in the order of their rank.</param>
    /// <param name="special">Tokens that are found as they are written, the longest first.</param>
    /// <exception cref="Exception">Microsoft.ML.Tokenizers does not take the vocabulary or the merges.</exception>
    public BytePairTokenizer(Dictionary<string, int> vocabulary, IEnumerable<string> merges, IEnumerable<SpecialToken> special)
    {
        _vocabulary = vocabulary;
        _special = special.Where(static token => token.Content.Length > 0).DistinctBy(static token => token.Content, StringComparer.Ordinal).ToDictionary(static token => token.Content, static token => token.Id, StringComparer.Ordinal);
        if (_special.Count > 0)
        {
            IEnumerable<string> texts = _special.Keys.OrderByDescending(static text => text.Length).ThenBy(static text => text, StringComparer.Ordinal).Select(Regex.Escape);
            _specialPattern = new(string.Join('|', texts), RegexOptions.CultureInvariant, MaxTime);
        }

        _merging = BpeTokenizer.Create(new BpeOptions(vocabulary) { Merges = merges, ByteLevel = true });
    }

    /// <summary>How long a pattern may take for a word.</summary>
    public static TimeSpan MaxTime { get; } = TimeSpan.FromSeconds(10);

    /// <summary>The rules that cut words, one after the other.</summary>
    public required IReadOnlyList<WordSplit> Splits { get; init; }

    /// <summary>Tokens before each text.</summary>
    public IReadOnlyList<int> First { get; init; } = [];

    /// <summary>Whether a text that does not begin with a space is given one.</summary>
    public bool AddsSpace { get; init; }

    /// <summary>Whether a word that is a token is that, whatever its merges would give (<c>ignore_merges</c>).</summary>
    public bool TakesWholeWords { get; init; }

    /// <summary>The tokens of a text.</summary>
    public IReadOnlyList<int> Encode(string text)
    {
        List<int> tokens = [.. First];
        int start = 0;
        foreach (Match match in _specialPattern?.Matches(text) ?? Enumerable.Empty<Match>())
        {
            AddWords(text[start..match.Index], tokens);
            tokens.Add(_special[match.Value]);
            start = match.Index + match.Length;
        }

        AddWords(text[start..], tokens);
        return tokens;
    }

    private void AddWords(string text, List<int> tokens)
    {
        if (text.Length == 0)
            return;
        IEnumerable<string> words = [AddsSpace && text[0] != ' ' ? ' ' + text : text];
        // One list after the other: enumerations inside each other need stack for each rule.
        foreach (WordSplit split in Splits)
            words = [.. words.SelectMany(split.Split)];
        foreach (string word in words)
        {
            if (TakesWholeWords && _vocabulary.TryGetValue(ByteAlphabet.Encode(word), out int whole))
                tokens.Add(whole);
            else
                tokens.AddRange(_merging.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false));
        }
    }
}
