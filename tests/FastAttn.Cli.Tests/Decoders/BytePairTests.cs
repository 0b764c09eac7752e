using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;

using FastAttn.Cli.Tokens;

using Xunit;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>Byte-level BPE tokenizers, with tokens that were worked out by hand.</summary>
public sealed class BytePairTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fastattn-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("", new int[0])]
    [InlineData("hello", new[] { 259 })]
    // " world" begins with " wo"; "world" is a token, but no merges give it.
    [InlineData("hello world", new[] { 259, 261, 114, 108, 100 })]
    [InlineData("world", new[] { 119, 111, 114, 108, 100 })]
    // "hell" is merged before "lo" could be: the rank of a pair decides.
    [InlineData("helll", new[] { 258, 108 })]
    // UTF-8: é is C3 A9, 😀 is F0 9F 98 80. Letters and signs are words of their own.
    [InlineData("h\u00E9llo \U0001F600", new[] { 104, 195, 169, 257, 111, 32, 240, 159, 152, 128 })]
    // Of several spaces the last one belongs to the word.
    [InlineData("he   wo", new[] { 256, 32, 32, 261 })]
    [InlineData("he's\n\n", new[] { 256, 39, 115, 10, 10 })]
    [InlineData("<|begin|>he<b> w<|end|>", new[] { 299, 256, 297, 260, 298 })]
    public void Texts_have_the_tokens_of_both_forms(string text, int[] expected)
    {
        Assert.Equal(expected, Whole().Encode(text));
        WritePair();
        Write("tokenizer_config.json", """{ "added_tokens_decoder": { "297": { "content": "<b>", "special": false }, "298": { "content": "<|end|>", "special": true }, "299": { "content": "<|begin|>", "special": true } } }""");
        File.Delete(Path("tokenizer.json"));
        Assert.Equal(expected, TokenizerReader.Read(_folder.FullName).Encode(text));
    }

    // U+1D49C, a capital A in script, is F0 9D 92 9C. What follows a letter without a space is a contraction; after a sign it would be another word.
    [Fact]
    public void A_letter_that_is_a_surrogate_pair_is_a_letter() => Assert.Equal(
        [240, 157, 146, 156, 263],
        Whole(static json =>
        {
            json["model"]!["vocab"]!["'s"] = 263;
            json["model"]!["merges"]!.AsArray().Add((JsonNode)"' s");
        }).Encode("\U0001D49C's"));

    // U+FFFD is EF BF BD.
    [Fact]
    public void Half_a_surrogate_pair_is_a_replacement_character() => Assert.Equal([256, 239, 191, 189], Whole().Encode("he\uD83D"));

    [Fact]
    public void Merges_may_be_pairs() =>
        Assert.Equal([259, 261], Whole(static json => json["model"]!["merges"] = new JsonArray([.. BytePairFiles.Merges.Select(static merge => new JsonArray([.. merge.Split(' ').Select(static part => (JsonNode)part)]))])).Encode("hello wo"));

    [Fact]
    public void A_word_that_is_a_token_is_that_where_merges_are_ignored() =>
        Assert.Equal([262, 261, 114, 108, 100], Whole(static json => json["model"]!["ignore_merges"] = true).Encode("world world"));

    [Fact]
    public void A_pattern_of_its_own_cuts_words()
    {
        const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        JsonObject split = new() { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = Llama3 }, ["behavior"] = "Isolated", ["invert"] = false };
        DecoderTokenizer tokenizer = Whole(json => json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(split, new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false }),
        });

        // A sign belongs to the letters after it, so that "(he" is one word; " w" is merged, since it is in one word with the letters.
        Assert.Equal([40, 256, 41, 260, 49, 50, 51, 52], tokenizer.Encode("(he) w1234"));
    }

    [Fact]
    public void Digits_may_be_words_of_their_own() => Assert.Equal(
        [256, 32, 49, 32, 50],
        Whole(static json => json["pre_tokenizer"] = JsonNode.Parse("""{ "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, { "type": "ByteLevel", "add_prefix_space": false }] }""")).Encode("he 1 2"));

    [Fact]
    public void Any_number_of_rules_cuts_words()
    {
        // As many rules inside each other would need more than the 256 KiB of this thread.
        List<int> tokens = [];
        DecoderTokenizer tokenizer = Whole(static tokenizer => tokenizer["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray([.. Enumerable.Range(0, 20_000).Select(static _ => new JsonObject { ["type"] = "Digits" })]),
        });
        var thread = new Thread(() => tokens.AddRange(tokenizer.Encode("a1")), maxStackSize: 1 << 18);
        thread.Start();
        thread.Join();
        Assert.Equal([97, 49], tokens);
    }

    // SmolLM's digits: a pair "1 2" that would be merged is not, since a word is one digit.
    [Fact]
    public void No_token_reaches_across_words()
    {
        DecoderTokenizer tokenizer = Whole(static json =>
        {
            json["model"]!["vocab"]!["12"] = 263;
            json["model"]!["merges"]!.AsArray().Add((JsonNode)"1 2");
            json["pre_tokenizer"] = JsonNode.Parse("""{ "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, { "type": "ByteLevel", "add_prefix_space": false }] }""");
        });
        Assert.Equal([49, 50], tokenizer.Encode("12"));
    }

    [Fact]
    public void A_text_may_be_given_a_space() =>
        Assert.Equal([261], Whole(static json => json["pre_tokenizer"]!["add_prefix_space"] = true).Encode("wo"));

    [Fact]
    public void A_text_may_begin_with_tokens_of_a_template() => Assert.Equal(
        [299, 256],
        Whole(static json => json["post_processor"] = JsonNode.Parse(
            """
            { "type": "Sequence", "processors": [{ "type": "ByteLevel" }, { "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "<|begin|>" } }, { "Sequence": { "id": "A" } }],
              "special_tokens": { "<|begin|>": { "ids": [299] } } }] }
            """)).Encode("he"));

    [Fact]
    public void Gpt2s_files_alone_know_the_end_of_text()
    {
        WritePair(static vocabulary => vocabulary["<|endoftext|>"] = 263);
        Assert.Equal([256, 263, 257], TokenizerReader.Read(_folder.FullName).Encode("he<|endoftext|>ll"));
    }

    [Fact]
    public void A_pair_of_files_may_begin_texts_with_a_token()
    {
        WritePair(static vocabulary => vocabulary["<s>"] = 263);
        Write("tokenizer_config.json", """{ "add_bos_token": true, "bos_token": "<s>" }""");
        Assert.Equal([263, 256], TokenizerReader.Read(_folder.FullName).Encode("he"));
    }

    [Fact]
    public void Tokens_give_their_texts_back()
    {
        DecoderTokenizer tokenizer = Whole();
        using StringWriter writer = new();
        TokenText text = new(writer);
        foreach (int token in new[] { 299, 259, 261, 32, 240, 159 })
            text.Write(tokenizer.BytesOf(token));
        Assert.Equal("hello wo ", writer.ToString());
        foreach (int token in new[] { 152, 128, 297, 298, 195, 296 })
            text.Write(tokenizer.BytesOf(token));
        Assert.Equal("hello wo \U0001F600<b>", writer.ToString());

        // What is left of a character is shown as such.
        text.End();
        Assert.Equal("hello wo \U0001F600<b>\uFFFD", writer.ToString());
    }

    [Theory]
    [InlineData("model.type", "\"WordPiece\"", "entry 'model' is not a byte-level BPE tokenizer, and there is no tokenizer.model beside it")]
    [InlineData("model.byte_fallback", "true", "entry 'model' is not a byte-level BPE tokenizer")]
    [InlineData("model.vocab", "{\"a\": 0}", "has no token '\u0100', which stands for a byte")]
    [InlineData("model.vocab.he", "-1", "entry 'model.vocab.he' is -1")]
    [InlineData("model.merges", "[[\"h\"]]", "entry 'model.merges[0]' has 1 tokens; expected 2")]
    [InlineData("model.merges", "[\"h q\"]", "has a vocabulary and merges that do not fit")]
    [InlineData("normalizer", "{\"type\": \"Lowercase\"}", "entry 'normalizer.type' is 'Lowercase', which is not supported; expected 'NFC'")]
    [InlineData("pre_tokenizer", "{\"type\": \"Metaspace\"}", "entry 'pre_tokenizer.type' is 'Metaspace', which is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, \"behavior\": \"Isolated\"}", "entry 'pre_tokenizer.pattern.Regex' is not a pattern")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"String\": \"-\"}, \"behavior\": \"Removed\"}", "entry 'pre_tokenizer.behavior' is 'Removed', which is not supported")]
    [InlineData("post_processor", "{\"type\": \"BertProcessing\"}", "entry 'post_processor.type' is 'BertProcessing', which is not supported")]
    [InlineData("added_tokens", "[{\"id\": 1, \"content\": \"x\", \"lstrip\": true}]", "entry 'added_tokens[0].lstrip' is true, which is not supported")]
    public void What_is_not_done_is_an_error_that_names_the_entry(string path, string value, string message)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Whole(json =>
        {
            JsonNode node = json;
            string[] names = path.Split('.');
            foreach (string name in names[..^1])
                node = node[name]!;
            node[names[^1]] = JsonNode.Parse(value);
        }));
        Assert.StartsWith(Path("tokenizer.json"), error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_tokenizer_is_an_error() => Assert.Contains(
        "has no tokenizer; expected tokenizer.json, tokenizer.model, or vocab.json and merges.txt",
        Assert.Throws<InvalidDataException>(() => TokenizerReader.Read(_folder.FullName)).Message,
        StringComparison.Ordinal);

    private DecoderTokenizer Whole(Action<JsonObject>? change = null)
    {
        JsonObject json = BytePairFiles.Tokenizer();
        change?.Invoke(json);
        Write("tokenizer.json", json.ToJsonString());
        return TokenizerReader.Read(_folder.FullName);
    }

    private void WritePair(Action<JsonObject>? change = null)
    {
        JsonObject vocabulary = BytePairFiles.Vocabulary();
        change?.Invoke(vocabulary);
        Write("vocab.json", vocabulary.ToJsonString());
        Write("merges.txt", $"#version: 0.2\n{string.Join('\n', BytePairFiles.Merges)}\n");
    }

    private string Path(string name) => System.IO.Path.Combine(_folder.FullName, name);

    private void Write(string name, string text) => File.WriteAllText(Path(name), text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
}
