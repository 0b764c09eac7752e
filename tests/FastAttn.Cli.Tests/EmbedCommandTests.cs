using System;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;
using FastAttn.Embeddings;
using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary><c>fastattn embed</c> writes the vectors of the library or prints their cosines, and names what is wrong.</summary>
public sealed class EmbedCommandTests : IDisposable
{
    private readonly TinyBert _model = new();

    public EmbedCommandTests() => _model.Save();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Vectors_are_those_of_the_library_in_the_order_of_the_texts()
    {
        _model.Write("texts.txt", "unwanted\r\n\na e\n");
        ToolResult result = Run("--input", _model.PathOf("texts.txt"), "--output", _model.PathOf("o.npy"), "running", "--", "a");
        result.ShouldSucceed();
        Assert.Matches("texts +5, 18 tokens in ", result.Output);

        NpyArray array = ArrayFolder.Read(_model.PathOf("o.npy"));
        Assert.Equal([5, TinyBert.Hidden], array.Shape);
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(_model.Folder);
        Assert.Equal(generator.Generate(["running", "a", "unwanted", "", "a e"]).SelectMany(static embedding => embedding.Vector.ToArray()), array.Data);
    }

    [Fact]
    public void Cosines_are_printed_a_row_for_each_text()
    {
        ToolResult result = Run("a", "unwanted", "a");
        result.ShouldSucceed();
        string[] lines = result.Output.TrimEnd().Split(Environment.NewLine);
        Assert.StartsWith($"model   {Path.GetFileName(_model.Folder)}, {TinyBert.Hidden} dimensions, mean of tokens", lines[0], StringComparison.Ordinal);
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(_model.Folder, new() { Normalize = true });
        float[][] vectors = [.. generator.Generate(["a", "unwanted"]).Select(static embedding => embedding.Vector.ToArray())];
        string cosine = vectors[0].Zip(vectors[1], static (left, right) => (double)left * right).Sum().ToString("F4", CultureInfo.InvariantCulture).PadLeft(8);
        Assert.Equal([$"  1.0000{cosine}  1.0000  a", $"{cosine}  1.0000{cosine}  unwanted", $"  1.0000{cosine}  1.0000  a"], lines[2..]);
    }

    [Fact]
    public void Options_reach_the_library()
    {
        Run("--output", _model.PathOf("o.npy"), "--pooling", "cls", "--normalize", "--weights", "int8", "--max-tokens", "4", "--threads", "1", "a e", "a").ShouldSucceed();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(
            _model.Folder, new() { Pooling = PoolingMode.Cls, Normalize = true, Model = new() { WeightPrecision = WeightPrecision.Int8 } });
        Assert.Equal(generator.Generate(["a e", "a"]).SelectMany(static embedding => embedding.Vector.ToArray()), ArrayFolder.Read(_model.PathOf("o.npy")).Data);
    }

    [Fact]
    public void The_end_of_a_text_that_is_too_long_is_ignored_aloud()
    {
        Run("--max-tokens", "3", "a", "a e").ShouldIgnore("the end of 1 text of more than 3 tokens.");
        Run("a a a a a a a a a a a", "a a a a a a a a a a a").ShouldIgnore("the end of 2 texts of more than 12 tokens.");
    }

    [Fact]
    public void What_is_missing_or_wrong_is_named()
    {
        ToolResult.Of("embed", "a").ShouldBeBadInput("--model");
        Run().ShouldBeBadInput("Texts are missing", "--input");
        Run([.. Enumerable.Repeat("a", 21)]).ShouldBeBadInput("--output is missing", "21 texts");
        Run("--pooling", "max", "a").ShouldBeBadInput("--pooling max", "mean, cls");
        Run("--max-tokens", "1", "a").ShouldBeBadInput("--max-tokens 1");
        Run("--weights", "int4", "a").ShouldBeBadInput("--weights int4", "int8");
        Run("--input", _model.PathOf("no.txt")).ShouldBeBadInput("--input", "no such file");
        Run("--output", _model.PathOf("no/o.npy"), "a").ShouldBeBadInput("--output", "there is no directory");
        ToolResult.Of("embed", "--model", string.Empty, "a").ShouldBeBadInput("--model", "is empty");
        ToolResult.Of("embed", "--model", "a\0b", "a").ShouldBeBadInput("--model a\\u0000b", "null character");
        ToolResult.Of("embed", "--model", _model.PathOf("nowhere"), "a").ShouldBeBadInput("--model ", "nowhere: no such file or folder");
    }

    [Fact]
    public void A_file_that_is_no_text_is_refused()
    {
        File.WriteAllBytes(_model.PathOf("texts.txt"), [0x61, 0x0A, 0xFF, 0xFE]);
        Run("--input", _model.PathOf("texts.txt")).ShouldBeBadInput("--input", "UTF-8");
    }

    [Fact]
    public void What_is_wrong_with_a_model_names_its_file_and_entry_and_writes_nothing()
    {
        _model.Configure("model_type", "\"roberta\"").Save();
        Run("--output", _model.PathOf("o.npy"), "a").ShouldBeBadInput("--model ", "config.json: entry 'model_type' is 'roberta'");
        Assert.False(File.Exists(_model.PathOf("o.npy")));
        _model.Configure("model_type", "\"bert\"").Save();
        File.WriteAllText(_model.PathOf("model.safetensors"), "no");
        Run("a").ShouldBeBadInput("--model ", "model.safetensors: is not a safetensors file");
    }

    private ToolResult Run(params string[] args) => ToolResult.Of(["embed", "--model", _model.Folder, .. args]);
}
