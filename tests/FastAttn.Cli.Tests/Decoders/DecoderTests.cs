using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

using FastAttn.Cli.Decoders;

using Xunit;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>A decoder computes what its twin in double precision does, in one call or token by token.</summary>
public sealed class DecoderTests
{
    // What is asked of float32 decoders with logits of N(0, 1), of N(0, 7²) where heads are tied. Each of some forty steps rounds by 2^-24 of its terms, which gives some 1e-6 and 1e-5.
    private const double Tolerance = 1e-4;

    // Of the first token after a prompt on, so that prompts of several chunks and single tokens meet.
    private static readonly int[] Prompt = [299, 104, 257, 111, 32, 7, 260, 99, 0, 150, 297, 41, 12];

    public static TheoryData<string> Models => [.. Cases.Keys];

    private static Dictionary<string, Func<(TwinModel Twin, string Type, Action<JsonObject>? Change)>> Cases { get; } = new(StringComparer.Ordinal)
    {
        ["llama"] = static () => (new TwinModel { Frequency = TwinModel.Rotary(10000, 8) }.WithWeights(), "llama", null),
        ["llama, grouped heads, tied, biases"] = static () => (
            new TwinModel { KeyValueHeads = 2, IsTied = true, HasQkvBias = true, HasOutputBias = true, HasFeedForwardBias = true, Frequency = TwinModel.Rotary(500000, 8) }.WithWeights(),
            "llama",
            static config => (config["attention_bias"], config["mlp_bias"], config["rope_theta"]) = (true, true, 500000.0)),
        ["llama 3.1's rotary scaling"] = static () => (
            new TwinModel { KeyValueHeads = 3, HeadDim = 16, Frequency = Llama3Frequency }.WithWeights(),
            "llama",
            static config => config["rope_scaling"] = JsonNode.Parse("""{ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16 }""")),
        ["llama, linear rotary scaling"] = static () => (
            new TwinModel { Frequency = static pair => TwinModel.Rotary(10000, 8)(pair) / 2.5 }.WithWeights(),
            "llama",
            static config => config["rope_scaling"] = JsonNode.Parse("""{ "type": "linear", "factor": 2.5 }""")),
        ["mistral, a window of 5 keys"] = static () => (
            new TwinModel { KeyValueHeads = 2, Window = 5, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights(), "mistral", static config => config["sliding_window"] = 5),
        ["qwen2"] = static () => (new TwinModel { KeyValueHeads = 2, HasQkvBias = true, IsTied = true, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights(), "qwen2", null),
        ["qwen3"] = static () => (
            new TwinModel { KeyValueHeads = 2, HeadDim = 20, HasHeadNorms = true, Frequency = TwinModel.Rotary(1e6, 20) }.WithWeights(),
            "qwen3",
            static config => config["rope_parameters"] = JsonNode.Parse("""{ "rope_type": "default", "rope_theta": 1000000.0 }""")),
        ["gpt2"] = static () => (new TwinModel(2) { IsGpt2 = true, IsTied = true }.WithWeights(), "gpt2", null),
        ["gpt2 as transformers save it, with a head of its own"] = static () => (
            new TwinModel(2) { IsGpt2 = true, Prefix = "transformer." }.WithWeights(), "gpt2", static config => config["tie_word_embeddings"] = false),
        ["gpt2 with relu"] = static () => (
            new TwinModel(2) { IsGpt2 = true, IsTied = true, Activation = static x => Math.Max(x, 0) }.WithWeights(), "gpt2", static config => config["activation_function"] = "relu"),
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void Logits_are_the_twins_in_one_call_and_token_by_token(string name)
    {
        (TwinModel twin, string type, Action<JsonObject>? change) = Cases[name]();
        using ModelFolder folder = new(twin, type, change);
        Decoder decoder = Load(folder);
        DecoderSession whole = decoder.CreateSession(Prompt.Length), single = decoder.CreateSession(Prompt.Length), parts = decoder.CreateSession(Prompt.Length);

        double[] expected = twin.Logits(Prompt);
        ShouldBe(expected, whole.Append(Prompt));
        for (int i = 0; i < Prompt.Length; i++)
            ShouldBe(twin.Logits(Prompt[..(i + 1)]), single.Append(Prompt.AsSpan(i, 1)));
        parts.Append(Prompt.AsSpan(0, 6));
        ShouldBe(expected, parts.Append(Prompt.AsSpan(6)));
        Assert.Equal(Prompt.Length, whole.Length);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Greedy_tokens_are_the_twins(string name)
    {
        const int Count = 10;
        (TwinModel twin, string type, Action<JsonObject>? change) = Cases[name]();
        using ModelFolder folder = new(twin, type, change);
        (int[] expected, double margin) = twin.Continue(Prompt, Count);
        Assert.True(margin > 2 * Tolerance, $"The best token is only {margin} ahead: choose another seed.");
        Assert.True(expected.Distinct().Count() >= 3, "The model repeats itself: choose another seed.");

        List<int> tokens = [];
        new TextGenerator(Load(folder), new TokenSampler(twin.Vocabulary)).Run(Prompt, Count, default, tokens.Add);

        Assert.Equal(expected, tokens);
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void Files_of_16_bits_give_the_twins_logits_of_these_weights(string type)
    {
        foreach (TwinModel twin in new[]
        {
            new TwinModel { KeyValueHeads = 2, IsTied = true, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights(type),
            new TwinModel(2) { IsGpt2 = true, IsTied = true }.WithWeights(type),
        })
        {
            using ModelFolder folder = new(twin, "llama");
            ShouldBe(twin.Logits(Prompt), Load(folder).CreateSession(Prompt.Length).Append(Prompt));
            ShouldBe(twin.Logits(Prompt), Load(folder, WeightPrecision.Float32).CreateSession(Prompt.Length).Append(Prompt));
        }
    }

    [Fact]
    public void Weights_of_8_bits_give_the_twins_logits_of_these_weights()
    {
        foreach (TwinModel twin in new[]
        {
            new TwinModel { KeyValueHeads = 2, IsTied = true, IsInt8 = true, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights(),
            new TwinModel(2) { IsGpt2 = true, IsTied = true, IsInt8 = true }.WithWeights(),
        })
        {
            using ModelFolder folder = new(twin, "llama");
            ShouldBe(twin.Logits(Prompt), Load(folder, WeightPrecision.Int8).CreateSession(Prompt.Length).Append(Prompt));
        }
    }

    [Theory]
    [InlineData(AttentionElement.Float16, AttentionElement.Float16, 1 / 2048.0)]
    [InlineData(AttentionElement.BFloat16, AttentionElement.BFloat16, 1 / 256.0)]
    [InlineData(AttentionElement.Int8Group32, AttentionElement.Int8Group32, 1 / 127.0)]
    [InlineData(AttentionElement.Int4Group32, AttentionElement.Int4Group32, 1 / 15.0)]
    [InlineData(AttentionElement.Int4, AttentionElement.Int4Group32, 2 / 15.0)]
    public void Keys_and_values_in_fewer_bits_give_logits_that_are_off_by_their_rounding(AttentionElement keys, AttentionElement values, double step)
    {
        TwinModel twin = new TwinModel { Heads = 2, KeyValueHeads = 1, HeadDim = 32, Layers = 2, Frequency = TwinModel.Rotary(10000, 32) }.WithWeights();
        using ModelFolder folder = new(twin, "llama");
        Decoder decoder = Load(folder);
        DecoderSession whole = decoder.CreateSession(Prompt.Length, cacheType: new(keys, values)), single = decoder.CreateSession(Prompt.Length, cacheType: new(keys, values));
        float[] logits = whole.Append(Prompt).ToArray(), last = [];
        for (int i = 0; i < Prompt.Length; i++)
            last = single.Append(Prompt.AsSpan(i, 1)).ToArray();

        // A number is off by half a step, relative to the largest in a row, and the errors of a row have no common direction. A channel of a few tokens may have a range of twice its largest number.
        double error = RelativeError(twin.Logits(Prompt), logits);
        Assert.InRange(error, step / 100, step);
        Assert.InRange(RelativeError(twin.Logits(Prompt), last), step / 100, step);
    }

    [Fact]
    public void Weight_bytes_are_those_of_all_matrices_of_a_token()
    {
        TwinModel twin = new TwinModel { KeyValueHeads = 2, IsTied = true, Layers = 2, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights();
        using ModelFolder folder = new(twin, "llama");

        // 48·48 queries, 48·16 keys and values each, 48·48 output, three matrices of 48·130, twice; 300·48 logits.
        const int Elements = 2 * (2304 + 2 * 768 + 2304 + 3 * 6240) + 14400;
        // 48 + 16 + 16 + 48 outputs of attention, 130 + 130 + 48 of the feed-forward part, twice; 300 logits.
        const int Outputs = 2 * (128 + 308) + 300;
        Assert.Equal(4 * Elements, Load(folder).WeightBytes);
        Assert.Equal(2 * Elements, Load(folder, WeightPrecision.BFloat16).WeightBytes);
        Assert.Equal(Elements + 4 * Outputs, Load(folder, WeightPrecision.Int8).WeightBytes);
    }

    [Fact]
    public void A_prompt_longer_than_a_chunk_is_taken_in_parts()
    {
        TwinModel twin = new TwinModel { Layers = 1, Dim = 8, Heads = 2, KeyValueHeads = 1, HeadDim = 4, FeedForward = 12, MaxTokens = 2048, Frequency = TwinModel.Rotary(10000, 4) }.WithWeights();
        using ModelFolder folder = new(twin, "llama");
        int[] prompt = [.. Enumerable.Range(0, 1100).Select(static i => i * 7919 % 300)];

        ShouldBe(twin.Logits(prompt), Load(folder).CreateSession(prompt.Length).Append(prompt));
    }

    [Fact]
    public void Threads_change_no_bit()
    {
        // Calls of less than a million multiply-adds run on one thread. Here a chunk of 512 tokens has 3 million in each matrix of the feed-forward part, and the
        // logits of one token, whose matrix is read for it alone, count as 2 million.
        TwinModel twin = new TwinModel { Vocabulary = 3000, Layers = 2, KeyValueHeads = 2, MaxTokens = 1024, Frequency = TwinModel.Rotary(10000, 8) }.WithWeights();
        using ModelFolder folder = new(twin, "llama");
        Decoder decoder = Load(folder);
        int[] prompt = [.. Enumerable.Range(0, 600).Select(static i => i * 7919 % 3000)];

        float[] expected = Logits(1);

        foreach (int threads in new[] { 2, 3, 0 })
            Assert.Equal(expected, Logits(threads));

        float[] Logits(int threads)
        {
            DecoderSession session = decoder.CreateSession(prompt.Length + 1, new() { MaxDegreeOfParallelism = threads });
            return [.. session.Append(prompt), .. session.Append([7])];
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void A_generated_token_allocates_nothing(string name)
    {
        (TwinModel twin, string type, Action<JsonObject>? change) = Cases[name]();
        using ModelFolder folder = new(twin, type, change);
        DecoderSession session = Load(folder).CreateSession(60, new() { MaxDegreeOfParallelism = 1 });
        TokenSampler sampler = new(twin.Vocabulary, temperature: 1, topP: 0.9, seed: 1);
        int[] next = [sampler.Next(session.Append(Prompt))];

        // The least of several rounds, since the runtime itself may allocate while it compiles what has been called often.
        long min = long.MaxValue;
        for (int round = 0; round < 4; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 10; i++)
                next[0] = sampler.Next(session.Append(next));
            min = Math.Min(min, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, min);
    }

    [Fact]
    public void What_a_session_cannot_take_is_refused_and_nothing_appended()
    {
        (TwinModel twin, string type, Action<JsonObject>? change) = Cases["gpt2"]();
        using ModelFolder folder = new(twin, type, change);
        Decoder decoder = Load(folder);
        DecoderSession session = decoder.CreateSession(3);

        Assert.Throws<ArgumentException>("tokens", () => session.Append([]).ToArray());
        Assert.Throws<ArgumentException>("tokens", () => session.Append([1, 2, 3, 4]).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>("tokens", () => session.Append([1, -1]).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>("tokens", () => session.Append([300]).ToArray());
        Assert.Equal(0, session.Length);
        Assert.Throws<ArgumentOutOfRangeException>("capacity", () => decoder.CreateSession(0));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", () => decoder.CreateSession(twin.MaxTokens + 1));
    }

    [Fact]
    public void A_layer_that_refuses_its_keys_leaves_the_text_as_it_was_in_all_layers()
    {
        // The first layer adds 1e38 to a number of each token, which makes that of token 7 infinite, so that the second layer's key is NaN; the second layer takes 1e38 off again.
        TwinModel twin = new TwinModel { Heads = 2, KeyValueHeads = 1, HeadDim = 32, Layers = 3, HasFeedForwardBias = true, Frequency = TwinModel.Rotary(10000, 32) }.WithWeights();
        twin.Tensors["model.embed_tokens.weight"].Numbers[7 * twin.Dim] = float.MaxValue;
        twin.Tensors["model.layers.0.mlp.down_proj.bias"].Numbers[0] = 1e38f;
        twin.Tensors["model.layers.1.mlp.down_proj.bias"].Numbers[0] = -1e38f;
        using ModelFolder folder = new(twin, "llama", static config => config["mlp_bias"] = true);
        Decoder decoder = Load(folder);
        DecoderSession session = decoder.CreateSession(5, cacheType: new(AttentionElement.Int8Group32, AttentionElement.Int8Group32)), other = decoder.CreateSession(5, cacheType: new(AttentionElement.Int8Group32, AttentionElement.Int8Group32));
        session.Append([5, 6]);
        other.Append([5, 6]);

        Assert.Contains("token 1, head 0", Assert.Throws<ArithmeticException>(() => session.Append([9, 7, 3]).ToArray()).Message, StringComparison.Ordinal);

        Assert.Equal(2, session.Length);
        float[] expected = other.Append([9, 4, 3]).ToArray();
        Assert.All(expected, static logit => Assert.True(float.IsFinite(logit)));
        Assert.Equal(expected, session.Append([9, 4, 3]).ToArray());
    }

    // "The Llama 3 Herd of Models" and its code: a context of 16 tokens, scaled by 8, from 1 to 4 waves in it.
    private static double Llama3Frequency(int pair)
    {
        double frequency = TwinModel.Rotary(10000, 16)(pair), wavelength = 2 * Math.PI / frequency;
        if (wavelength < 16 / 4.0)
            return frequency;
        if (wavelength > 16 / 1.0)
            return frequency / 8;
        double smooth = (16 / wavelength - 1) / (4 - 1);
        return (1 - smooth) * frequency / 8 + smooth * frequency;
    }

    private static Decoder Load(ModelFolder folder, WeightPrecision? precision = null)
    {
        using CheckpointFolder weights = new(folder.Path);
        Decoder decoder = Decoder.Create(DecoderConfigReader.Read(folder.Path), weights, precision);
        weights.RequireAllUsed();
        return decoder;
    }

    /// <summary>‖actual − expected‖ / ‖expected‖.</summary>
    private static double RelativeError(double[] expected, float[] actual) =>
        Math.Sqrt(expected.Zip(actual, static (x, y) => (x - y) * (x - y)).Sum() / expected.Sum(static x => x * x));

    private static void ShouldBe(double[] expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], Tolerance);
    }
}
