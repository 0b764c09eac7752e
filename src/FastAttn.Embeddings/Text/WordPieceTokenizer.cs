using System;
using System.Buffers;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace FastAttn.Embeddings.Text;

/// <summary>
/// The tokenizer of BERT: a text is cleaned, loses its accents and capitals, is split at whitespace and punctuation, and its words are cut into
/// tokens of a vocabulary. Each text begins and ends with a token of its own.
/// </summary>
/// <remarks>
/// The ids are those of Hugging Face's tokenizers (BertNormalizer, BertPreTokenizer, WordPiece), whatever globalization data the process has. Any
/// number of threads may use one instance.
/// </remarks>
internal sealed class WordPieceTokenizer
{
    private const int MaxRemains = 4;

    private readonly TokenizerSettings _settings;
    private readonly WordPieces _pieces;
    private readonly AddedToken[] _added;
    private readonly SearchValues<string>? _addedContents;

    public WordPieceTokenizer(TokenizerSettings settings)
    {
        _settings = settings;
        _pieces = new(settings);
        // The longest first, since it is what is found where one begins with another.
        _added = [.. settings.AddedTokens.OrderByDescending(static token => token.Content.Length)];
        _addedContents = _added.Length == 0 ? null : SearchValues.Create([.. _added.Select(static token => token.Content)], StringComparison.Ordinal);
    }

    /// <summary>The greatest id that a text can have.</summary>
    public int MaxId => Math.Max(
        Math.Max(_settings.Vocabulary.Values.DefaultIfEmpty(0).Max(), _added.Select(static token => token.Id).DefaultIfEmpty(0).Max()),
        Math.Max(_settings.UnknownId, Math.Max(_settings.FirstId, _settings.LastId)));

    /// <summary>Appends the ids of a text, those of its begin and end included.</summary>
    /// <param name="text">Any text; halves of surrogate pairs are left out.</param>
    /// <param name="maxTokens">The most ids that are appended, at least 2: the end of a longer text is cut off.</param>
    /// <param name="ids">Appended to.</param>
    /// <returns>Whether the text was cut.</returns>
    public bool Encode(ReadOnlySpan<char> text, int maxTokens, List<int> ids)
    {
        ids.Add(_settings.FirstId);
        int max = ids.Count + maxTokens - 2;

        // A word of one token more than fits says that the text is cut; nothing after it is looked at.
        while (!text.IsEmpty && ids.Count <= max)
        {
            int found = _addedContents is null ? -1 : text.IndexOfAny(_addedContents);
            if (found < 0)
            {
                AppendWords(text, max, ids);
                break;
            }

            AppendWords(text[..found], max, ids);
            AddedToken token = FindAdded(text[found..]);
            ids.Add(token.Id);
            text = text[(found + token.Content.Length)..];
        }

        bool isCut = ids.Count > max;
        if (isCut)
            ids.RemoveRange(max, ids.Count - max);
        ids.Add(_settings.LastId);
        return isCut;
    }

    private AddedToken FindAdded(ReadOnlySpan<char> text)
    {
        int i = 0;
        while (!text.StartsWith(_added[i].Content, StringComparison.Ordinal))
            i++;
        return _added[i];
    }

    private void AppendWords(ReadOnlySpan<char> text, int max, List<int> ids)
    {
        Span<char> buffer = stackalloc char[256];
        var word = new Word(_settings.MaxWordLength * 2 <= buffer.Length ? buffer : new char[_settings.MaxWordLength * 2], _settings.MaxWordLength);
        Span<Rune> remains = stackalloc Rune[MaxRemains];
        while (!text.IsEmpty && ids.Count <= max)
        {
            Rune.DecodeFromUtf16(text, out Rune character, out int length);
            text = text[length..];
            if (_settings.CleansText && IsRemoved(character))
                continue;

            bool isIdeograph = _settings.SplitsIdeographs && IsIdeograph(character.Value);
            if (isIdeograph)
                End(ref word, ids);
            int count = 1;
            if (_settings.StripsAccents && !character.IsAscii)
                count = AccentStripping.Strip(character, remains);
            else
                remains[0] = character;
            foreach (Rune remaining in remains[..count])
                Append(remaining, ref word, ids);
            if (isIdeograph)
                End(ref word, ids);
        }

        End(ref word, ids);
    }

    private void Append(Rune character, ref Word word, List<int> ids)
    {
        // The one character whose small form has two: i and a dot above.
        const int CapitalIWithDot = 0x130, DotAbove = 0x307;
        if (_settings.Lowercases && character.Value == CapitalIWithDot)
        {
            word.Append(new('i'));
            character = new(DotAbove);
        }
        else if (_settings.Lowercases)
        {
            character = Rune.ToLowerInvariant(character);
        }

        if (Rune.IsWhiteSpace(character))
        {
            End(ref word, ids);
        }
        else if (IsPunctuation(character))
        {
            End(ref word, ids);
            word.Append(character);
            End(ref word, ids);
        }
        else
        {
            word.Append(character);
        }
    }

    private void End(ref Word word, List<int> ids)
    {
        if (word.IsTooLong)
            ids.Add(_settings.UnknownId);
        else if (!word.IsEmpty)
            _pieces.Append(word.Characters, ids);
        word.Clear();
    }

    private static bool IsRemoved(Rune character) =>
        character.Value is not ('\t' or '\n' or '\r')
        && (character == Rune.ReplacementChar || Rune.GetUnicodeCategory(character) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse);

    private static bool IsPunctuation(Rune character) =>
        character.IsAscii
            ? character.Value is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
            : Rune.GetUnicodeCategory(character) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
                or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;

    // CJK Unified Ideographs with the extensions A to E, and both blocks of compatibility ideographs. Extension E begins at U+2B820, but the tokenizers
    // that models are used with begin it at U+2B920.
    private static bool IsIdeograph(int character) =>
        character is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
            or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);

    /// <summary>The word that is being read. Characters after the longest that is allowed are counted, not kept.</summary>
    private ref struct Word(Span<char> buffer, int maxLength)
    {
        private readonly Span<char> _buffer = buffer;
        private int _used;
        private int _characters;

        public readonly bool IsEmpty => _characters == 0;

        public readonly bool IsTooLong => _characters > maxLength;

        public readonly ReadOnlySpan<char> Characters => _buffer[.._used];

        public void Append(Rune character)
        {
            if (_characters++ < maxLength)
                _used += character.EncodeToUtf16(_buffer[_used..]);
        }

        public void Clear() => (_used, _characters) = (0, 0);
    }
}
