using System;
using System.IO;

using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>What a model's files lack, or have and is not computed, is an error that names the file and the entry.</summary>
public static class BadModelTests
{
    [Theory]
    [InlineData("model_type", "\"roberta\"")]
    [InlineData("model_type", null)]
    [InlineData("position_embedding_type", "\"relative_key\"")]
    [InlineData("is_decoder", "true")]
    [InlineData("add_cross_attention", "true")]
    [InlineData("quantization_config", "{}")]
    [InlineData("hidden_act", "\"mish\"")]
    [InlineData("hidden_act", "7")]
    [InlineData("hidden_size", null)]
    [InlineData("hidden_size", "0")]
    [InlineData("hidden_size", "24.5")]
    [InlineData("hidden_size", "\"24\"")]
    [InlineData("hidden_size", "2000000")]
    [InlineData("num_attention_heads", "5")]
    [InlineData("num_hidden_layers", "2000")]
    [InlineData("layer_norm_eps", "-1")]
    [InlineData("layer_norm_eps", "1e400")]
    public static void A_configuration_of_another_model_is_refused(string entry, string? value)
    {
        using var tiny = new TinyBert();
        ShouldFail(tiny.Configure(entry, value).Save(), "config.json", entry);
    }

    [Fact]
    public static void A_configuration_that_is_no_object_is_refused()
    {
        using var tiny = new TinyBert();
        ShouldFail(tiny.Save().Write("config.json", "[]"), "config.json", "is not an object");
        ShouldFail(tiny.Write("config.json", "{"), "config.json", "malformed");
        ShouldFail(tiny.Write("config.json", """{ "model_type": "bert", "model_type": "bert" }"""), "config.json", "malformed");
    }

    [Theory]
    [InlineData("embeddings.position_embeddings.weight")]
    [InlineData("encoder.layer.1.attention.self.key.weight")]
    [InlineData("encoder.layer.1.output.LayerNorm.bias")]
    [InlineData("embeddings.word_embeddings.weight")]
    public static void A_missing_tensor_is_named(string name)
    {
        using var tiny = new TinyBert();
        tiny.Tensors.Remove(name);
        ShouldFail(tiny.Save(), "model.safetensors", name);
    }

    [Theory]
    [InlineData("encoder.layer.0.attention.self.query.weight", "hidden_size", "48")]
    [InlineData("encoder.layer.0.intermediate.dense.weight", "intermediate_size", "44")]
    [InlineData("embeddings.position_embeddings.weight", "max_position_embeddings", "13")]
    [InlineData("embeddings.word_embeddings.weight", "vocab_size", "18")]
    public static void A_tensor_of_another_shape_than_the_configuration_says_is_named(string name, string entry, string value)
    {
        using var tiny = new TinyBert();
        string message = ShouldFail(tiny.Configure(entry, value).Save(), "model.safetensors", "of shape");
        if (entry != "hidden_size")
            Assert.Contains(name, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("encoder.relative_attention_bias.weight")]
    [InlineData("classifier.weight")]
    [InlineData("encoder.layer.2.output.dense.weight")]
    [InlineData("encoder.layer.0.attention.self.query.lora_A")]
    public static void A_tensor_that_no_encoder_has_is_named(string name)
    {
        using var tiny = new TinyBert();
        tiny.Tensors[name] = ("F32", [2, 3], new float[6]);
        ShouldFail(tiny.Save(), "model.safetensors", name);
    }

    [Fact]
    public static void A_tensor_of_another_type_is_named()
    {
        using var tiny = new TinyBert();
        const string Name = "encoder.layer.0.attention.self.query.bias";
        tiny.Tensors[Name] = ("U8", [TinyBert.Hidden], new float[TinyBert.Hidden]);
        ShouldFail(tiny.Save(), "model.safetensors", Name, "U8");
    }

    [Fact]
    public static void A_file_that_is_truncated_or_something_else_is_refused()
    {
        using var tiny = new TinyBert();
        byte[] bytes = File.ReadAllBytes(tiny.Save().PathOf("model.safetensors"));
        foreach (int length in (int[])[0, 5, 8, 100, bytes.Length - 1])
        {
            File.WriteAllBytes(tiny.PathOf("model.safetensors"), bytes[..length]);
            ShouldFail(tiny, "model.safetensors");
        }

        File.WriteAllText(tiny.PathOf("model.onnx"), "This is text, and no model.");
        Assert.Contains("model.onnx", Assert.Throws<InvalidDataException>(() => EncoderModel.Load(tiny.PathOf("model.onnx"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("vocab.txt")]
    [InlineData("model.safetensors")]
    [InlineData("tokenizer_config.json")]
    public static void A_device_among_the_files_is_named(string name)
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero.");
        using var tiny = new TinyBert();
        tiny.Save();
        File.Delete(tiny.PathOf(name));
        File.CreateSymbolicLink(tiny.PathOf(name), "/dev/zero");
        Assert.Equal($"{tiny.PathOf(name)}: is empty, or a pipe or device.", Assert.Throws<InvalidDataException>(() => FastAttnEmbeddingGenerator.Load(tiny.Folder)).Message);
    }

    [Fact]
    public static void A_missing_file_is_named()
    {
        using var tiny = new TinyBert();
        Assert.Contains("model.safetensors", Assert.Throws<FileNotFoundException>(() => EncoderModel.Load(tiny.Folder)).Message, StringComparison.Ordinal);
        Assert.Contains("nowhere", Assert.Throws<FileNotFoundException>(() => EncoderModel.Load(tiny.PathOf("nowhere"))).Message, StringComparison.Ordinal);
        tiny.Save();
        File.Delete(tiny.PathOf("config.json"));
        Assert.Contains("config.json", Assert.Throws<FileNotFoundException>(() => EncoderModel.Load(tiny.Folder)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => EncoderModel.Load(string.Empty));
    }

    [Fact]
    public static void A_tokenizer_of_more_tokens_than_the_encoder_is_refused()
    {
        using var tiny = new TinyBert();
        tiny.Save().Write("vocab.txt", string.Join('\n', [.. TinyVocabulary.Tokens, "more"]));
        Assert.Contains("id 19", Assert.Throws<InvalidDataException>(() => FastAttnEmbeddingGenerator.Load(tiny.Folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("model.onnx")]
    public static void A_pointer_of_Git_LFS_is_called_so(string file)
    {
        using var tiny = new TinyBert();
        tiny.SaveConfiguration();
        ShouldFail(tiny.Write(file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n"), file, "is a pointer of Git LFS");
    }

    [Fact]
    public static void A_relative_path_that_leads_nowhere_is_named_with_the_directory_that_it_starts_from() =>
        Assert.Equal($"nowhere/model: no such file or folder in {Directory.GetCurrentDirectory()}.", Assert.Throws<FileNotFoundException>(() => EncoderModel.Load("nowhere/model")).Message);

    private static string ShouldFail(TinyBert tiny, params string[] parts)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => EncoderModel.Load(tiny.Folder));
        foreach (string part in parts)
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        return error.Message;
    }
}
