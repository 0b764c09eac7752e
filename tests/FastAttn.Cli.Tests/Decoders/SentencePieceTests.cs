using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

using FastAttn.Cli.Tokens;

using Xunit;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>SentencePiece tokenizers, <c>tokenizer.model</c>, with tokens that were worked out by hand.</summary>
public sealed class SentencePieceTests : IDisposable
{
    // Kinds of pieces in sentencepiece_model.proto.
    private const int Normal = 1, Unknown = 2, Control = 3, Byte = 6;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fastattn-");

    public void Dispose() => _folder.Delete(recursive: true);

    // 0 to 2 are <unk>, <s> and </s>, then bytes from 3 on, then pieces from 259 on, the better ones first.
    [Theory]
    [InlineData("hello world", new[] { 1, 264, 263, 269, 271, 268, 272 })]
    [InlineData("", new[] { 1 })]
    // A space that is written follows the one that each text is given.
    [InlineData(" hello", new[] { 1, 265, 264 })]
    // What no piece has is bytes: é is C3 A9.
    [InlineData("h\u00E9", new[] { 1, 265, 266, 3 + 0xC3, 3 + 0xA9 })]
    public void Texts_have_their_tokens(string text, int[] expected)
    {
        WriteModel();
        Assert.Equal(expected, TokenizerReader.Read(_folder.FullName).Encode(text));
    }

    [Fact]
    public void The_configuration_may_leave_out_the_first_token_and_add_others()
    {
        WriteModel();
        Write("tokenizer_config.json", """{ "add_bos_token": false, "added_tokens_decoder": { "300": { "content": "<|x|>", "special": true } } }""");
        DecoderTokenizer tokenizer = TokenizerReader.Read(_folder.FullName);
        Assert.Equal([264, 300, 264], tokenizer.Encode("hello<|x|> hello"));
        Assert.Equal(0, tokenizer.BytesOf(300).Length);
    }

    [Fact]
    public void A_token_that_is_written_as_nothing_is_found_nowhere()
    {
        WriteModel();
        Write("tokenizer_config.json", """{ "added_tokens_decoder": { "300": { "content": "", "special": true } } }""");
        Assert.Equal([1, 264], TokenizerReader.Read(_folder.FullName).Encode("hello"));
    }

    [Fact]
    public void Tokens_give_their_texts_back()
    {
        WriteModel();
        DecoderTokenizer tokenizer = TokenizerReader.Read(_folder.FullName);
        using StringWriter writer = new();
        TokenText text = new(writer);
        foreach (int token in new[] { 1, 264, 263, 269, 3 + 0xC3, 3 + 0xA9, 2, 0, 5000 })
            text.Write(tokenizer.BytesOf(token));
        Assert.Equal(" hello wo\u00E9", writer.ToString());
    }

    [Fact]
    public void It_is_taken_where_the_other_file_is_no_byte_level_tokenizer()
    {
        WriteModel();
        Write("tokenizer.json", """{ "model": { "type": "BPE", "byte_fallback": true } }""");
        Assert.Equal([1, 264], TokenizerReader.Read(_folder.FullName).Encode("hello"));
    }

    [Fact]
    public void What_is_no_model_is_an_error_that_names_the_file()
    {
        Write("tokenizer.model", "this is no protobuf");
        Assert.StartsWith(
            $"{Path.Combine(_folder.FullName, "tokenizer.model")}: is not a SentencePiece model that is read here",
            Assert.Throws<InvalidDataException>(() => TokenizerReader.Read(_folder.FullName)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_is_an_error_that_names_the_file()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero.");
        string model = Path.Combine(_folder.FullName, "tokenizer.model");
        File.CreateSymbolicLink(model, "/dev/zero");
        Assert.Equal($"{model}: is empty, or a pipe or device.", Assert.Throws<InvalidDataException>(() => TokenizerReader.Read(_folder.FullName)).Message);
    }

    // ModelProto: pieces (1), of a text (1), a score (2) and a kind (3); the trainer's settings (2): BPE (3) and bytes for what is unknown (35); the
    // normaliser's (3): by no table, a space before each text (3), spaces kept (4) and written as U+2581 (5).
    private void WriteModel()
    {
        List<byte> model = [];
        Add("<unk>", 0, Unknown);
        Add("<s>", 0, Control);
        Add("</s>", 0, Control);
        for (int value = 0; value < 256; value++)
            Add($"<0x{value:X2}>", 0, Byte);
        int rank = 0;
        foreach (string piece in new[] { "he", "ll", "hell", "hello", "\u2581w", "\u2581hello", "\u2581", "h", "e", "l", "o", "w", "r", "d" })
            Add(piece, -rank++, Normal);
        model.AddRange([.. Field(2, [.. Number(3, 2), .. Number(35, 1)]), .. Field(3, [.. Number(3, 1), .. Number(4, 0), .. Number(5, 1)])]);
        File.WriteAllBytes(Path.Combine(_folder.FullName, "tokenizer.model"), [.. model]);

        void Add(string piece, float score, int kind) =>
            model.AddRange(Field(1, [.. Field(1, Encoding.UTF8.GetBytes(piece)), .. Varint(2 << 3 | 5), .. BitConverter.GetBytes(score), .. Number(3, kind)]));
    }

    private static byte[] Field(int number, byte[] data) => [.. Varint(number << 3 | 2), .. Varint(data.Length), .. data];

    private static byte[] Number(int number, int value) => [.. Varint(number << 3), .. Varint(value)];

    private static byte[] Varint(int value) => value < 128 ? [(byte)value] : [(byte)(value | 128), .. Varint(value >> 7)];

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);
}
