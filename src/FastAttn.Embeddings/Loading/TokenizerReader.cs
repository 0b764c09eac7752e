using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Text;

namespace FastAttn.Embeddings.Loading;

/// <summary>Reads the tokenizer of a model: <c>tokenizer.json</c>, or <c>vocab.txt</c> with <c>tokenizer_config.json</c>.</summary>
internal static class TokenizerReader
{
    private const string WholeFile = "tokenizer.json", Vocabulary = "vocab.txt", Configuration = "tokenizer_config.json";

    private static readonly string[] WordPieceClasses = ["BertTokenizer", "BertTokenizerFast"];

    /// <summary>Reads the tokenizer of a folder.</summary>
    /// <exception cref="FileNotFoundException">The folder has neither file.</exception>
    /// <exception cref="InvalidDataException">The tokenizer is another than BERT's, or a file is malformed.</exception>
    public static TokenizerSettings Read(string folder)
    {
        string whole = Path.Combine(folder, WholeFile), vocabulary = Path.Combine(folder, Vocabulary);
        if (File.Exists(whole))
            return ReadWhole(whole);
        return File.Exists(vocabulary)
            ? ReadVocabulary(vocabulary)
            : throw new FileNotFoundException($"{Printable.Of(folder)}: has neither {WholeFile} nor {Vocabulary}.", vocabulary);
    }

    /// <summary>Reads a vocabulary of one token a line, and the tokenizer's configuration beside it where there is one.</summary>
    public static TokenizerSettings ReadVocabulary(string path)
    {
        var tokens = new Dictionary<string, int>(StringComparer.Ordinal);
        int line = 0;
        using (var reader = new StreamReader(RegularFile.Open(path)))
        {
            while (reader.ReadLine() is { } token)
                tokens[token] = line++;
        }

        using JsonFile? configuration = JsonFile.ReadIfThere(Path.GetDirectoryName(Path.GetFullPath(path))!, Configuration);
        JsonEntry? entry = configuration?.Root;
        if (entry?.Find("tokenizer_class") is { } type && !WordPieceClasses.Contains(type.AsText(), StringComparer.Ordinal))
            throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected {string.Join(" or ", WordPieceClasses)}.");
        entry?.Require("do_basic_tokenize", expected: true);

        string unknown = Special("unk_token", "[UNK]"), first = Special("cls_token", "[CLS]"), last = Special("sep_token", "[SEP]");
        bool lowercases = entry?.FindBoolean("do_lower_case") ?? true;
        return new()
        {
            Vocabulary = tokens,
            AddedTokens = [.. new[] { Special("pad_token", "[PAD]"), unknown, first, last, Special("mask_token", "[MASK]") }.Distinct(StringComparer.Ordinal).Where(token => token.Length > 0 && tokens.ContainsKey(token)).Select(token => new AddedToken(token, tokens[token]))],
            UnknownId = Id(unknown),
            FirstId = Id(first),
            LastId = Id(last),
            SplitsIdeographs = entry?.FindBoolean("tokenize_chinese_chars") ?? true,
            StripsAccents = entry?.FindBoolean("strip_accents") ?? lowercases,
            Lowercases = lowercases,
        };

        int Id(string token) => tokens.TryGetValue(token, out int id) ? id : throw new InvalidDataException($"{Printable.Of(path)}: has no token '{Printable.Of(token)}'.");

        string Special(string name, string usual) => entry?.Find(name) is not { } given ? usual : given.IsObject ? given.Get("content").AsText() : given.AsText();
    }

    private static TokenizerSettings ReadWhole(string path)
    {
        using JsonFile file = JsonFile.Read(path);
        JsonEntry root = file.Root, model = root.Get("model"), normalizer = root.Get("normalizer");
        model.Require("type", "WordPiece");
        normalizer.Require("type", "BertNormalizer");
        root.Get("pre_tokenizer").Require("type", "BertPreTokenizer");

        var tokens = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((string token, JsonEntry id) in model.Get("vocab").Properties())
            tokens.Add(token, id.AsInteger(0));
        AddedToken[] added = root.Find("added_tokens") is { } all ? [.. all.Items().Select(ReadAdded)] : [];
        (string first, string last) = ReadEnds(root.Get("post_processor"));
        bool lowercases = normalizer.FindBoolean("lowercase") ?? true;
        return new()
        {
            Vocabulary = tokens,
            AddedTokens = added,
            UnknownId = Id(model.FindText("unk_token") ?? "[UNK]"),
            FirstId = Id(first),
            LastId = Id(last),
            ContinuingPrefix = model.FindText("continuing_subword_prefix") ?? "##",
            MaxWordLength = ReadMaxWordLength(model),
            CleansText = normalizer.FindBoolean("clean_text") ?? true,
            SplitsIdeographs = normalizer.FindBoolean("handle_chinese_chars") ?? true,
            StripsAccents = normalizer.FindBoolean("strip_accents") ?? lowercases,
            Lowercases = lowercases,
        };

        int Id(string token)
        {
            if (tokens.TryGetValue(token, out int id))
                return id;
            int found = Array.FindIndex(added, other => other.Content == token);
            return found >= 0 ? added[found].Id : throw new InvalidDataException($"{Printable.Of(path)}: has no token '{Printable.Of(token)}'.");
        }
    }

    private static int ReadMaxWordLength(JsonEntry model)
    {
        // More would only make room that no word needs; a thousand letters are no word of any language.
        const string Name = "max_input_chars_per_word";
        const int Usual = 100, Max = 1000;
        if (model.Find(Name) is not { } entry)
            return Usual;
        int length = entry.AsInteger(1);
        return length <= Max ? length : throw entry.Error($"is {length}; expected at most {Max}.");
    }

    private static AddedToken ReadAdded(JsonEntry entry)
    {
        // Whitespace beside such a token is dropped in any case, so that 'lstrip' and 'rstrip' change nothing.
        entry.Require("single_word", expected: false);
        entry.Require("normalized", expected: false);
        string content = entry.Get("content").AsText();
        return content.Length > 0 ? new(content, entry.Get("id").AsInteger(0)) : throw entry.Get("content").Error("is empty.");
    }

    private static (string First, string Last) ReadEnds(JsonEntry processor)
    {
        if (processor.FindText("type") == "BertProcessing")
            return (processor.Get("cls").Items().First().AsText(), processor.Get("sep").Items().First().AsText());
        processor.Require("type", "TemplateProcessing");
        JsonEntry single = processor.Get("single");
        JsonEntry[] parts = [.. single.Items()];
        if (parts is not [var first, var text, var last] || first.Find("SpecialToken") is not { } begin || text.Find("Sequence") is null || last.Find("SpecialToken") is not { } end)
            throw single.Error("is not supported; expected a special token, the text, a special token.");
        return (begin.Get("id").AsText(), end.Get("id").AsText());
    }
}
