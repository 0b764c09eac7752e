using System;
using System.Collections.Generic;

namespace FastAttn.Embeddings.Text;

/// <summary>Cuts words into tokens, the longest that fits first (WordPiece: "Fast WordPiece Tokenization", arXiv 2012.15524, §2).</summary>
internal sealed class WordPieces
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _first, _continuing;
    private readonly int _unknownId, _maxFirst, _maxContinuing;

    public WordPieces(TokenizerSettings settings)
    {
        var first = new Dictionary<string, int>(StringComparer.Ordinal);
        var continuing = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((string token, int id) in settings.Vocabulary)
        {
            bool continues = token.StartsWith(settings.ContinuingPrefix, StringComparison.Ordinal) && token.Length > settings.ContinuingPrefix.Length;
            if (continues)
            {
                string rest = token[settings.ContinuingPrefix.Length..];
                continuing[rest] = id;
                _maxContinuing = Math.Max(_maxContinuing, rest.Length);
            }

            // A token '##a' also begins a word that is written so; no word is, since punctuation is a word of its own. Other prefixes, and none, may be letters.
            if (token.Length > 0 && !(continues && settings.ContinuingPrefix == "##"))
            {
                first[token] = id;
                _maxFirst = Math.Max(_maxFirst, token.Length);
            }
        }

        _first = first.GetAlternateLookup<ReadOnlySpan<char>>();
        _continuing = continuing.GetAlternateLookup<ReadOnlySpan<char>>();
        _unknownId = settings.UnknownId;
    }

    /// <summary>Appends the tokens of a word, or the unknown token where it cannot be made of tokens.</summary>
    /// <param name="word">One word, normalised; not empty.</param>
    /// <param name="ids">Appended to.</param>
    public void Append(ReadOnlySpan<char> word, List<int> ids)
    {
        int before = ids.Count;
        for (int start = 0; start < word.Length;)
        {
            Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> tokens = start == 0 ? _first : _continuing;
            int length = Math.Min(word.Length - start, start == 0 ? _maxFirst : _maxContinuing);
            int id = 0;
            while (length > 0 && !tokens.TryGetValue(word.Slice(start, length), out id))
                length--;
            if (length == 0)
            {
                ids.RemoveRange(before, ids.Count - before);
                ids.Add(_unknownId);
                return;
            }

            ids.Add(id);
            start += length;
        }
    }
}
