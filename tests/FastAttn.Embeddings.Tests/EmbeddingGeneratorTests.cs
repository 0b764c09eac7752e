using System;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

using FastAttn.Embeddings.Tests.Fixtures;

using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>What users of Microsoft.Extensions.AI rely on: order, usage, cut texts, cancellation, metadata, registration.</summary>
public static class EmbeddingGeneratorTests
{
    private const string MeanPooling = """{ "word_embedding_dimension": 24, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false }""";
    private const string ClsPooling = """{ "word_embedding_dimension": 24, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false }""";
    private const string Modules = """[{ "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" }, { "idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" }NORMALIZE]""";
    private const string Normalize = """, { "idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize" }""";

    // Pooling and normalisation of elements of size 1 to 3 add a few roundings to those of the hidden states.
    private const double Tolerance = 1e-5;

    [Theory]
    [InlineData(MeanPooling, true)]
    [InlineData(MeanPooling, false)]
    [InlineData(ClsPooling, true)]
    [InlineData("""{ "pooling_mode": "cls" }""", false)]
    [InlineData(null, false)]
    public static void Vectors_are_pooled_and_normalised_as_the_model_says(string? pooling, bool normalizes)
    {
        using var tiny = new TinyBert();
        if (pooling is not null)
            tiny.Write("1_Pooling/config.json", pooling).Write("modules.json", Modules.Replace("NORMALIZE", normalizes ? Normalize : string.Empty, StringComparison.Ordinal));
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder);
        bool isCls = pooling?.Contains("cls_token\": true", StringComparison.Ordinal) == true || pooling?.Contains("\"cls\"", StringComparison.Ordinal) == true;
        Assert.Equal(isCls ? PoolingMode.Cls : PoolingMode.Mean, generator.Pooling);
        Assert.Equal(normalizes, generator.Normalizes);

        double[][] states = EncoderModelTests.Oracle(tiny, NaiveEncoder.Gelu).Encode(TinyVocabulary.Ids("[CLS] un ##want ##ed a [SEP]"));
        double[] expected = new double[TinyBert.Hidden];
        for (int i = 0; i < expected.Length; i++)
            expected[i] = isCls ? states[0][i] : states.Average(state => state[i]);
        double length = normalizes ? Math.Sqrt(expected.Sum(static element => element * element)) : 1;
        float[] vector = generator.Generate(["unwanted a"])[0].Vector.ToArray();
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i] / length, vector[i], Tolerance);
    }

    [Fact]
    public static async Task Results_stand_in_the_order_of_the_texts_with_the_bits_that_each_has_alone()
    {
        using var tiny = new TinyBert();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder);
        Random random = new(2);
        string[] texts = [.. Enumerable.Range(0, 500).Select(_ => string.Join(' ', Enumerable.Range(0, random.Next(0, 10)).Select(_ => ((string[])["a", "e", "running", "unwanted", "x"])[random.Next(5)])))];
        GeneratedEmbeddings<Embedding<float>> together = await generator.GenerateAsync(texts);
        Assert.Equal(texts.Length, together.Count);
        for (int i = 0; i < texts.Length; i++)
            Assert.Equal(generator.Generate([texts[i]])[0].Vector.ToArray(), together[i].Vector.ToArray());
    }

    [Fact]
    public static void Usage_counts_tokens_and_cut_texts_say_so()
    {
        using var tiny = new TinyBert();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Write("sentence_bert_config.json", """{ "max_seq_length": 5, "do_lower_case": false }""").Folder);
        Assert.Equal(5, generator.MaxTokens);
        GeneratedEmbeddings<Embedding<float>> embeddings = generator.Generate(["a a a", "a a a a", "", "unwanted running"]);
        Assert.Equal(5 + 5 + 2 + 5, embeddings.Usage!.InputTokenCount);
        Assert.Equal(embeddings.Usage.InputTokenCount, embeddings.Usage.TotalTokenCount);
        Assert.Equal(2, embeddings.AdditionalProperties![FastAttnEmbeddingGenerator.TruncatedKey]);
        Assert.Equal([false, true, false, true], embeddings.Select(static embedding => embedding.AdditionalProperties?[FastAttnEmbeddingGenerator.TruncatedKey] is true));
        Assert.Equal(embeddings[0].Vector.ToArray(), embeddings[1].Vector.ToArray());
        Assert.Null(generator.Generate(["a"]).AdditionalProperties);
    }

    [Theory]
    [InlineData(null, null, null, 12)]
    [InlineData("9", null, null, 9)]
    [InlineData("9", "7", null, 9)]
    [InlineData(null, "7", null, 7)]
    [InlineData(null, "1000000000000000019884624838656", null, 12)]
    [InlineData("512", null, null, 12)]
    [InlineData("9", "7", 5, 5)]
    [InlineData("9", "7", 11, 11)]
    [InlineData("9", "7", 100, 12)]
    public static void The_longest_text_is_what_the_model_says_and_never_longer_than_its_positions(string? sentences, string? tokenizer, int? option, int expected)
    {
        using var tiny = new TinyBert();
        if (sentences is not null)
            tiny.Write("sentence_bert_config.json", $$"""{ "max_seq_length": {{sentences}} }""");
        if (tokenizer is not null)
            tiny.Write("tokenizer_config.json", $$"""{ "model_max_length": {{tokenizer}} }""");
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder, new() { MaxTokens = option });
        Assert.Equal(expected, generator.MaxTokens);
    }

    [Fact]
    public static void Options_come_before_what_the_model_says()
    {
        using var tiny = new TinyBert();
        tiny.Save().Write("1_Pooling/config.json", MeanPooling).Write("modules.json", Modules.Replace("NORMALIZE", Normalize, StringComparison.Ordinal));
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Folder, new() { Pooling = PoolingMode.Cls, Normalize = false, ModelId = "mine" });
        Assert.Equal((PoolingMode.Cls, false), (generator.Pooling, generator.Normalizes));
        Assert.Equal("mine", generator.Generate(["a"])[0].ModelId);
    }

    [Fact]
    public static void Metadata_tell_the_model_and_its_dimensions()
    {
        using var tiny = new TinyBert();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder);
        EmbeddingGeneratorMetadata metadata = generator.GetRequiredService<EmbeddingGeneratorMetadata>();
        Assert.Equal(("fastattn", Path.GetFileName(tiny.Folder), TinyBert.Hidden), (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions));
        Assert.Same(generator, generator.GetService(typeof(FastAttnEmbeddingGenerator)));
        Assert.Same(generator.Model, generator.GetService(typeof(EncoderModel)));
        Assert.Null(generator.GetService(typeof(FastAttnEmbeddingGenerator), "key"));
        Assert.Null(generator.GetService(typeof(string)));
    }

    [Fact]
    public static async Task A_request_that_does_not_fit_is_refused()
    {
        using var tiny = new TinyBert();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder);
        Assert.Equal("options", Assert.Throws<ArgumentException>(() => generator.Generate(["a"], new() { Dimensions = 12 })).ParamName);
        Assert.Equal("options", Assert.Throws<ArgumentException>(() => generator.Generate(["a"], new() { ModelId = "other" })).ParamName);
        Assert.Equal("values", Assert.Throws<ArgumentException>(() => generator.Generate(["a", null!])).ParamName);
        Assert.Equal("values", Assert.Throws<ArgumentNullException>(() => generator.Generate(null!)).ParamName);
        await Assert.ThrowsAsync<ArgumentNullException>(() => generator.GenerateAsync(null!));
        Assert.Single(generator.Generate(["a"], new() { Dimensions = TinyBert.Hidden, ModelId = Path.GetFileName(tiny.Folder) }));
        Assert.Empty(generator.Generate([]));
        foreach (FastAttnEmbeddingOptions options in (FastAttnEmbeddingOptions[])[new() { MaxTokens = 1 }, new() { Pooling = (PoolingMode)7 }, new() { MaxDegreeOfParallelism = -2 }])
            Assert.Equal("options", Assert.Throws<ArgumentOutOfRangeException>(() => FastAttnEmbeddingGenerator.Load(tiny.Folder, options)).ParamName);
    }

    [Fact]
    public static async Task A_cancelled_call_ends()
    {
        using var tiny = new TinyBert();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder);
        CancellationToken cancelled = new(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => generator.GenerateAsync(["a"], cancellationToken: cancelled));
        Assert.Throws<OperationCanceledException>(() => generator.Generate(["a"], cancellationToken: cancelled));

        // The texts themselves are endless work: the call ends in the middle of it.
        using var source = new CancellationTokenSource();
        string[] texts = [.. Enumerable.Repeat("a a a a a a a a", 1_000_000)];
        Task<GeneratedEmbeddings<Embedding<float>>> call = generator.GenerateAsync(texts, cancellationToken: source.Token);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public static void Any_number_of_threads_may_call_one_generator()
    {
        using var tiny = new TinyBert();
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Save().Folder);
        string[] texts = ["a", "unwanted running", "e e e", ""];
        float[][] expected = [.. generator.Generate(texts).Select(static embedding => embedding.Vector.ToArray())];
        Parallel.For(0, 64, _ => Assert.Equal(expected, generator.Generate(texts).Select(static embedding => embedding.Vector.ToArray())));
    }

    [Fact]
    public static void Registered_generators_are_found_and_loaded_once()
    {
        using TinyBert tiny = new(), other = new(seed: 2);
        using ServiceProvider provider = new ServiceCollection()
            .AddFastAttnEmbeddings(tiny.Save().Folder, new() { ModelId = "first" })
            .AddKeyedFastAttnEmbeddings("second", other.Save().Folder, new() { ModelId = "second" })
            .BuildServiceProvider();
        var generator = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        Assert.Same(generator, provider.GetRequiredService<IEmbeddingGenerator>());
        Assert.Same(generator, provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>());
        var keyed = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("second");
        Assert.Same(keyed, provider.GetRequiredKeyedService<IEmbeddingGenerator>("second"));
        Assert.Equal(("first", "second"), (generator.GetRequiredService<EmbeddingGeneratorMetadata>().DefaultModelId, keyed.GetRequiredService<EmbeddingGeneratorMetadata>().DefaultModelId));
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddFastAttnEmbeddings(string.Empty));
    }

    [Theory]
    [InlineData("modules.json", """[{ "path": "", "type": "sentence_transformers.models.Transformer" }]""", "Pooling")]
    [InlineData("modules.json", """[{ "path": "0_Transformer", "type": "sentence_transformers.models.Transformer" }, { "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" }]""", "Transformer")]
    [InlineData("modules.json", """[{ "path": "", "type": "sentence_transformers.models.Transformer" }, { "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" }, { "path": "2_Dense", "type": "sentence_transformers.models.Dense" }]""", "Dense")]
    [InlineData("modules.json", """[{ "path": "", "type": "sentence_transformers.models.Transformer" }, { "path": "../elsewhere", "type": "sentence_transformers.models.Pooling" }]""", "../elsewhere")]
    [InlineData("modules.json", "{}", "is not an array")]
    [InlineData("1_Pooling/config.json", """{ "pooling_mode_max_tokens": true }""", "max_tokens")]
    [InlineData("1_Pooling/config.json", """{ "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true }""", "cls_token, mean_tokens")]
    [InlineData("1_Pooling/config.json", """{ "pooling_mode": "lasttoken" }""", "lasttoken")]
    [InlineData("1_Pooling/config.json", "{}", "mean_tokens")]
    [InlineData("sentence_bert_config.json", """{ "max_seq_length": 1 }""", "max_seq_length")]
    [InlineData("sentence_bert_config.json", """{ "do_lower_case": 1 }""", "do_lower_case")]
    [InlineData("tokenizer_config.json", """{ "model_max_length": -5 }""", "model_max_length")]
    public static void Settings_that_are_not_supported_are_errors_that_name_file_and_entry(string file, string json, string part)
    {
        using var tiny = new TinyBert();
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => FastAttnEmbeddingGenerator.Load(tiny.Save().Write(file, json).Folder));
        Assert.Contains(Path.GetFileName(file), error.Message, StringComparison.Ordinal);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void Texts_become_small_letters_where_the_sentence_configuration_says_so()
    {
        // A cased tokenizer knows A and a; both files together make every A an a.
        using var tiny = new TinyBert();
        tiny.Save().Write("tokenizer_config.json", """{ "do_lower_case": false }""");
        Assert.NotEqual(Embed("A"), Embed("a"));
        tiny.Write("sentence_bert_config.json", """{ "do_lower_case": true }""");
        Assert.Equal(Embed("A"), Embed("a"));

        float[] Embed(string text)
        {
            using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(tiny.Folder);
            return generator.Generate([text])[0].Vector.ToArray();
        }
    }
}
