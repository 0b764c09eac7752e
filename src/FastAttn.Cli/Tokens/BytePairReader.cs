using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Tokens;

/// <summary>Reads byte-level BPE tokenizers: <c>tokenizer.json</c>, or <c>vocab.json</c> with <c>merges.txt</c>.</summary>
/// <remarks>A tokenizer that normalises to NFC is taken, but does not: texts are nearly always in NFC, and .NET does not normalise without a globalisation library.</remarks>
internal static class BytePairReader
{
    // GPT-2's words: contractions; letters, digits or other signs, each with a space before; white space.
    private const string WordPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Whether <c>tokenizer.json</c> is of this kind. Else it may be a SentencePiece tokenizer, of which there is another file.</summary>
    public static bool IsBytePair(JsonEntry root) =>
        root.Get("model") is var model && model.FindText("type") == "BPE" && model.FindBoolean("byte_fallback") is not true;

    /// <summary>Reads <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="root">What is in it.</param>
    /// <exception cref="InvalidDataException">It asks for what is not done here; the message names the file and the entry.</exception>
    public static DecoderTokenizer Read(string path, JsonEntry root)
    {
        JsonEntry model = root.Get("model");
        model.Require("type", "BPE");
        model.Require("byte_fallback", expected: false);
        model.Require("continuing_subword_prefix", string.Empty);
        model.Require("end_of_word_suffix", string.Empty);
        root.Find("normalizer")?.Require("type", "NFC");

        Dictionary<string, int> vocabulary = ReadVocabulary(model.Get("vocab"));
        SpecialToken[] special = [.. (root.Find("added_tokens")?.Items() ?? []).Select(ReadSpecial)];
        List<WordSplit> splits = [];
        bool addsSpace = ReadSplits(root.Get("pre_tokenizer"), splits);
        return Create(path, vocabulary, special, () => new(vocabulary, model.Get("merges").Items().Select(ReadMerge), special)
        {
            Splits = splits,
            AddsSpace = addsSpace,
            TakesWholeWords = model.FindBoolean("ignore_merges") ?? false,
            First = root.Find("post_processor") is { } processor ? ReadFirst(processor) : [],
        });
    }

    /// <summary>Reads <c>vocab.json</c> and <c>merges.txt</c>, as GPT-2 has them.</summary>
    /// <param name="path">The vocabulary.</param>
    /// <param name="mergesPath">The merges.</param>
    /// <param name="settings">What <c>tokenizer_config.json</c> says.</param>
    /// <exception cref="InvalidDataException">A file is malformed; the message names it.</exception>
    public static DecoderTokenizer ReadPair(string path, string mergesPath, TokenizerSettings settings)
    {
        // GPT-2's only special token, which its files do not list.
        const string EndOfText = "<|endoftext|>";
        using JsonFile file = JsonFile.Read(path);
        Dictionary<string, int> vocabulary = ReadVocabulary(file.Root);
        SpecialToken[] special = settings.Special.Count > 0 || !vocabulary.TryGetValue(EndOfText, out int end) ? [.. settings.Special] : [new(EndOfText, end, IsText: false)];
        int[] first = [];
        if (settings is { AddsFirst: true, First: { } name })
            first = [special.Where(token => token.Content == name).Select(static token => (int?)token.Id).FirstOrDefault() ?? (vocabulary.TryGetValue(name, out int id) ? id : throw new InvalidDataException($"{Printable.Of(path)}: has no token '{Printable.Of(name)}', which each text begins with."))];
        return Create(path, vocabulary, special, () => new(vocabulary, ReadMerges(mergesPath), special)
        {
            Splits = [new(Pattern(WordPattern))],
            AddsSpace = settings.AddsSpace,
            First = first,
        });
    }

    private static DecoderTokenizer Create(string path, Dictionary<string, int> vocabulary, SpecialToken[] special, Func<BytePairTokenizer> create)
    {
        foreach (char character in ByteAlphabet.Characters.Where(character => !vocabulary.ContainsKey(character.ToString())))
            throw new InvalidDataException($"{Printable.Of(path)}: has no token '{character}', which stands for a byte.");
        Dictionary<int, byte[]> bytes = [];
        foreach ((string token, int id) in vocabulary)
            bytes[id] = ByteAlphabet.Decode(token) ?? Encoding.UTF8.GetBytes(token);
        foreach (SpecialToken token in special)
            bytes[token.Id] = token.IsText ? Encoding.UTF8.GetBytes(token.Content) : [];
        try
        {
            return new(create().Encode, bytes);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{Printable.Of(path)}: has a vocabulary and merges that do not fit: {e.Message}", e);
        }
    }

    private static Dictionary<string, int> ReadVocabulary(JsonEntry entry)
    {
        Dictionary<string, int> vocabulary = new(StringComparer.Ordinal);
        foreach ((string token, JsonEntry id) in entry.Properties())
            vocabulary[token] = id.AsInteger(0);
        return vocabulary;
    }

    private static List<string> ReadMerges(string path)
    {
        using var reader = new StreamReader(RegularFile.Open(path));
        List<string> merges = [];
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal))
                merges.Add(line);
        }

        return merges;
    }

    private static string ReadMerge(JsonEntry entry)
    {
        if (entry.IsText)
            return entry.AsText();
        string[] pair = [.. entry.Items().Select(static item => item.AsText())];
        return pair.Length == 2 ? string.Join(' ', pair) : throw entry.Error($"has {pair.Length} tokens; expected 2.");
    }

    private static SpecialToken ReadSpecial(JsonEntry entry)
    {
        foreach (string property in new[] { "lstrip", "rstrip", "single_word" })
            entry.Require(property, expected: false);
        return new(entry.Get("content").AsText(), entry.Get("id").AsInteger(0), IsText: entry.FindBoolean("special") is not true);
    }

    /// <summary>Adds the rules of a pre-tokenizer; returns whether texts are given a space.</summary>
    private static bool ReadSplits(JsonEntry entry, List<WordSplit> splits)
    {
        JsonEntry type = entry.Get("type");
        switch (type.AsText())
        {
            case "Sequence":
                bool addsSpace = false;
                foreach (JsonEntry item in entry.Get("pretokenizers").Items())
                    addsSpace |= ReadSplits(item, splits);
                return addsSpace;
            case "Digits":
                splits.Add(new(Pattern(entry.FindBoolean("individual_digits") is true ? @"\p{N}" : @"\p{N}+")));
                return false;
            case "Split":
                splits.Add(ReadSplit(entry));
                return false;
            case "ByteLevel":
                bool addsOne = entry.FindBoolean("add_prefix_space") ?? true;
                if (addsOne && splits.Count > 0)
                    throw entry.Get("add_prefix_space").Error("is true after another rule, which is not supported.");
                if (entry.FindBoolean("use_regex") ?? true)
                    splits.Add(new(Pattern(WordPattern)));
                return addsOne;
            default:
                throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected Sequence, Split, Digits or ByteLevel.");
        }
    }

    private static WordSplit ReadSplit(JsonEntry entry)
    {
        JsonEntry pattern = entry.Get("pattern");
        JsonEntry text = pattern.Find("Regex") ?? pattern.Get("String");
        Regex regex;
        try
        {
            regex = Pattern(pattern.Find("Regex") is null ? Regex.Escape(text.AsText()) : text.AsText());
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException(text.Error($"is not a pattern that .NET takes: {e.Message}").Message, e);
        }

        bool isInverted = entry.FindBoolean("invert") ?? false;
        JsonEntry behavior = entry.Get("behavior");
        return (behavior.AsText(), isInverted) switch
        {
            ("Isolated", false) => new(regex),
            ("Removed", true) => new(regex, keepsGaps: false),
            _ => throw behavior.Error($"is '{Printable.Of(behavior.AsText())}'{(isInverted ? " with 'invert'" : string.Empty)}, which is not supported; expected Isolated, or Removed with 'invert'."),
        };
    }

    /// <summary>The tokens that a post-processor puts before a text.</summary>
    private static int[] ReadFirst(JsonEntry entry)
    {
        JsonEntry type = entry.Get("type");
        switch (type.AsText())
        {
            case "ByteLevel":
                return [];
            case "Sequence":
                return [.. entry.Get("processors").Items().SelectMany(ReadFirst)];
            case "TemplateProcessing":
                List<int> first = [];
                bool isAfterText = false;
                foreach (JsonEntry item in entry.Get("single").Items())
                {
                    isAfterText |= item.Find("Sequence") is not null;
                    if (item.Find("SpecialToken") is not { } token)
                        continue;
                    if (isAfterText)
                        throw token.Error("is a token after the text, which is not supported.");
                    first.AddRange(entry.Get("special_tokens").Get(token.Get("id").AsText()).Get("ids").Items().Select(static id => id.AsInteger(0)));
                }

                return [.. first];
            default:
                throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected ByteLevel, TemplateProcessing or Sequence.");
        }
    }

    private static Regex Pattern(string pattern) => new(pattern, RegexOptions.CultureInvariant, BytePairTokenizer.MaxTime);
}
