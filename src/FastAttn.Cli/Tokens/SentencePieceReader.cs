using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Embeddings.Files;

using Microsoft.ML.Tokenizers;

namespace FastAttn.Cli.Tokens;

/// <summary>Reads SentencePiece models (arXiv 1808.06226), <c>tokenizer.model</c>, by Microsoft.ML.Tokenizers.</summary>
internal static class SentencePieceReader
{
    // A space within a piece.
    private const char Space = '\u2581';

    /// <summary>Reads a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="settings">What <c>tokenizer_config.json</c> says; texts begin with the model's first token unless it denies that.</param>
    /// <exception cref="InvalidDataException">It is not such a model; the message names the file.</exception>
    public static DecoderTokenizer Read(string path, TokenizerSettings settings)
    {
        Dictionary<string, int> special = settings.Special.Where(static token => token.Content.Length > 0).DistinctBy(static token => token.Content, StringComparer.Ordinal).ToDictionary(static token => token.Content, static token => token.Id, StringComparer.Ordinal);
        bool addsFirst = settings.AddsFirst ?? true;
        SentencePieceTokenizer tokenizer;
        using FileStream file = RegularFile.Open(path);
        try
        {
            tokenizer = SentencePieceTokenizer.Create(file, addsFirst, addEndOfSentence: false, special);
        }
        catch (Exception e) when (e is not (FileNotFoundException or OutOfMemoryException))
        {
            // A protobuf reader's own errors, or those of a model that has not what it must.
            throw new InvalidDataException($"{Printable.Of(path)}: is not a SentencePiece model that is read here: {e.Message}", e);
        }

        Dictionary<int, byte[]> bytes = [];
        foreach ((string piece, int id) in tokenizer.Vocabulary)
            bytes[id] = BytesOf(piece);
        foreach (string control in new[] { tokenizer.BeginningOfSentenceToken, tokenizer.EndOfSentenceToken, tokenizer.UnknownToken })
        {
            if (tokenizer.Vocabulary.TryGetValue(control, out int id))
                bytes[id] = [];
        }

        foreach (SpecialToken token in settings.Special)
            bytes[token.Id] = token.IsText ? Encoding.UTF8.GetBytes(token.Content) : [];
        return new(Encode, bytes);

        // An empty text has no tokens there, not even the first.
        IReadOnlyList<int> Encode(string text) => text.Length == 0 && addsFirst ? [tokenizer.BeginningOfSentenceId] : tokenizer.EncodeToIds(text);
    }

    // Bytes that are in no other piece have pieces of their own, <0x00> to <0xFF>.
    private static byte[] BytesOf(string piece) =>
        piece is ['<', '0', 'x', _, _, '>'] && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? [value]
            : Encoding.UTF8.GetBytes(piece.Replace(Space, ' '));
}
