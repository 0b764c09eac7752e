using System;
using System.Collections.Generic;
using System.IO;

using FastAttn.Embeddings.Loading;
using FastAttn.Embeddings.Tests.Fixtures;
using FastAttn.Embeddings.Text;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>What a tokenizer is comes from its files; what they ask for and is not computed is an error that names file and entry.</summary>
public sealed class TokenizerFileTests
{
    // By hand: with small letters É is é, and without its accent e; without small letters A stays A, and É without its accent is E.
    [Theory]
    [InlineData("A É 中a", null, "a e 中 a")]
    [InlineData("A É 中a", """{ "do_lower_case": false }""", "A [UNK] 中 a")]
    [InlineData("A É 中a", """{ "do_lower_case": false, "strip_accents": true }""", "A E 中 a")]
    [InlineData("A É 中a", """{ "do_lower_case": true, "strip_accents": false }""", "a é 中 a")]
    [InlineData("a中", """{ "tokenize_chinese_chars": false }""", "a ##中")]
    [InlineData("İ", """{ "strip_accents": false }""", "i̇")]
    [InlineData("A É 中a", """{ "tokenizer_class": "BertTokenizer", "cls_token": "[CLS]", "sep_token": { "content": "[SEP]" } }""", "a e 中 a")]
    public static void A_vocabulary_is_used_as_the_configuration_beside_it_says(string text, string? configuration, string expected)
    {
        using var model = new TinyVocabulary(configuration);
        Assert.Equal(TinyVocabulary.Ids($"[CLS] {expected} [SEP]"), Encode(model, text));
    }

    [Theory]
    [InlineData("A É 中a", "", "", "a e 中 a")]
    [InlineData("A É 中a", """, "lowercase": false """, "", "A [UNK] 中 a")]
    [InlineData("A É 中a", """, "lowercase": true, "strip_accents": false """, "", "a é 中 a")]
    [InlineData("A É 中a", """, "strip_accents": null """, "", "a e 中 a")]
    [InlineData("a中", """, "handle_chinese_chars": false """, "", "a ##中")]
    [InlineData("unwanted a", "", """, "max_input_chars_per_word": 7 """, "[UNK] a")]
    [InlineData("unwanted a", "", """, "max_input_chars_per_word": 8 """, "un ##want ##ed a")]
    [InlineData("x a", "", """, "unk_token": "," """, ", a")]
    public static void A_tokenizer_file_comes_before_a_vocabulary(string text, string normalizer, string wordPieces, string expected)
    {
        using var model = new TinyVocabulary();
        model.Write("vocab.txt", "nothing");
        model.Write("tokenizer.json", TinyVocabulary.Json(normalizer, wordPieces));
        Assert.Equal(TinyVocabulary.Ids($"[CLS] {expected} [SEP]"), Encode(model, text));
    }

    // By hand: after "un" comes "a", as a token of the whole vocabulary. "##want" is one too, but no word is written so.
    [Theory]
    [InlineData("una", "\"\"", "un a")]
    [InlineData("una", "\"a\"", "[UNK]")]
    [InlineData("a un", "\"a\"", "a un")]
    public static void A_token_that_continues_a_word_may_begin_one_where_nothing_tells_them_apart(string text, string prefix, string expected)
    {
        using var model = new TinyVocabulary();
        model.Write("tokenizer.json", TinyVocabulary.Json("", $""", "continuing_subword_prefix": {prefix} """));
        Assert.Equal(TinyVocabulary.Ids($"[CLS] {expected} [SEP]"), Encode(model, text));
    }

    [Fact]
    public static void A_special_token_that_is_written_as_nothing_is_found_nowhere()
    {
        using var model = new TinyVocabulary("""{ "pad_token": "" }""");
        model.Write("vocab.txt", string.Join('\n', [.. TinyVocabulary.Tokens, "", "more"]));
        Assert.Equal(TinyVocabulary.Ids("[CLS] a [SEP]"), Encode(model, "a"));
    }

    [Theory]
    [InlineData("\"BertNormalizer\"", "\"Lowercase\"", "normalizer.type")]
    [InlineData("\"BertPreTokenizer\"", "\"Whitespace\"", "pre_tokenizer.type")]
    [InlineData("\"TemplateProcessing\"", "\"ByteLevel\"", "post_processor.type")]
    [InlineData("\"model\": { \"type\": \"WordPiece\"", "\"model\": { \"type\": \"BPE\"", "model.type")]
    [InlineData("\"normalized\": false", "\"normalized\": true", "added_tokens[0].normalized")]
    [InlineData("\"single_word\": false", "\"single_word\": true", "added_tokens[0].single_word")]
    [InlineData("\"content\": \"[CLS]\"", "\"content\": \"\"", "added_tokens[0].content")]
    [InlineData("{ \"Sequence\": { \"id\": \"A\", \"type_id\": 0 } }, ", "", "post_processor.single")]
    [InlineData("\"[UNK]\": 1,", "", "[UNK]")]
    [InlineData("\"un\": 5,", "\"un\": -5,", "model.vocab.un")]
    [InlineData("\"vocab\"", "\"words\"", "vocab")]
    [InlineData("\"decoder\"", "?", "malformed")]
    public static void A_tokenizer_that_is_not_supported_is_an_error_that_names_the_entry(string part, string replacement, string entry)
    {
        using var model = new TinyVocabulary();
        string json = TinyVocabulary.Json();
        Assert.Contains(part, json, StringComparison.Ordinal);
        model.Write("tokenizer.json", json.Replace(part, replacement, StringComparison.Ordinal));
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TokenizerReader.Read(model.Folder));
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.Contains(entry, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "tokenizer_class": "XLMRobertaTokenizer" }""", "tokenizer_class")]
    [InlineData("""{ "do_basic_tokenize": false }""", "do_basic_tokenize")]
    [InlineData("""{ "do_lower_case": "yes" }""", "do_lower_case")]
    [InlineData("""{ "unk_token": "<unk>" }""", "<unk>")]
    [InlineData("""[]""", "is not an object")]
    public static void A_configuration_that_is_not_supported_is_an_error_that_names_the_entry(string configuration, string entry)
    {
        using var model = new TinyVocabulary(configuration);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TokenizerReader.Read(model.Folder));
        Assert.Contains(entry, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void A_folder_without_a_tokenizer_is_an_error_that_names_both_files()
    {
        using var folder = new TemporaryFolder();
        FileNotFoundException error = Assert.Throws<FileNotFoundException>(() => TokenizerReader.Read(folder.Path));
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.Contains("vocab.txt", error.Message, StringComparison.Ordinal);
    }

    private static List<int> Encode(TinyVocabulary model, string text)
    {
        List<int> ids = [];
        new WordPieceTokenizer(TokenizerReader.Read(model.Folder)).Encode(text, 512, ids);
        return ids;
    }
}
