using System;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Tokens;

/// <summary>Finds and reads the tokenizer of a decoder's folder.</summary>
internal static class TokenizerReader
{
    private const string Whole = "tokenizer.json", SentencePiece = "tokenizer.model", Vocabulary = "vocab.json", Merges = "merges.txt";

    /// <summary>
    /// Reads <c>tokenizer.json</c> where it is a byte-level BPE tokenizer, else <c>tokenizer.model</c>, else <c>vocab.json</c> with <c>merges.txt</c>.
    /// </summary>
    /// <exception cref="InvalidDataException">There is no such file, or it is malformed or asks for what is not done here; the message names it.</exception>
    public static DecoderTokenizer Read(string folder)
    {
        string sentencePiece = Path.Combine(folder, SentencePiece), vocabulary = Path.Combine(folder, Vocabulary), merges = Path.Combine(folder, Merges);
        using (JsonFile? whole = JsonFile.ReadIfThere(folder, Whole))
        {
            if (whole is not null)
            {
                if (BytePairReader.IsBytePair(whole.Root))
                    return BytePairReader.Read(Path.Combine(folder, Whole), whole.Root);
                if (!File.Exists(sentencePiece))
                    throw whole.Root.Get("model").Error($"is not a byte-level BPE tokenizer, and there is no {SentencePiece} beside it; expected one of both.");
            }
        }

        if (File.Exists(sentencePiece))
            return SentencePieceReader.Read(sentencePiece, TokenizerSettings.Read(folder));
        if (File.Exists(vocabulary) && File.Exists(merges))
            return BytePairReader.ReadPair(vocabulary, merges, TokenizerSettings.Read(folder));
        throw new InvalidDataException($"{Printable.Of(folder)}: has no tokenizer; expected {Whole}, {SentencePiece}, or {Vocabulary} and {Merges}.");
    }
}
