using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;

using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>A model out of safetensors computes its formula, with the weights that its file has.</summary>
public static class EncoderModelTests
{
    // Sums of at most 40 products of size 1, each step rounded to 2^-24 of it, one after the other in two layers; norms keep elements at size 1 to 3.
    private const double Tolerance = 1e-5;

    private static readonly int[][] Sequences = [[2, 5, 6, 7, 3], [2, 3], [2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 3], [4], [2, 1, 3]];

    public static TheoryData<InstructionSet> InstructionSets_ => [.. InstructionSets.Supported];

    public static TheoryData<string, InstructionSet> Types => new(from type in (string[])["F32", "F16", "BF16"] from set in InstructionSets.Supported select (type, set));

    [Theory]
    [MemberData(nameof(Types))]
    public static void Hidden_states_are_those_of_the_formula(string type, InstructionSet instructionSet)
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save(type).Folder).For(instructionSet);
        AssertFormula(Oracle(tiny, NaiveEncoder.Gelu), model, Sequences);
    }

    [Theory]
    [InlineData("gelu")]
    [InlineData("gelu_new")]
    [InlineData("gelu_fast")]
    [InlineData("gelu_pytorch_tanh")]
    [InlineData("relu")]
    [InlineData("silu")]
    [InlineData("swish")]
    public static void The_activation_is_the_configurations(string name)
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Configure("hidden_act", $"\"{name}\"").Save().Folder);
        Func<double, double> activation = name switch
        {
            "gelu" => NaiveEncoder.Gelu,
            "relu" => static x => Math.Max(x, 0),
            "silu" or "swish" => static x => x / (1 + Math.Exp(-x)),
            _ => NaiveEncoder.GeluTanh,
        };
        AssertFormula(Oracle(tiny, activation), model, Sequences);
    }

    [Fact]
    public static void The_epsilon_is_the_configurations()
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Configure("layer_norm_eps", "0.25").Save().Folder);
        Assert.Equal(0.25f, model.Configuration.LayerNormEpsilon);
        AssertFormula(Oracle(tiny, NaiveEncoder.Gelu), model, Sequences, epsilon: 0.25);
    }

    [Theory]
    [InlineData("bert.")]
    [InlineData("0.auto_model.")]
    public static void Names_may_begin_with_anything(string prefix)
    {
        using TinyBert tiny = new(), prefixed = new(prefix: prefix);
        prefixed.Tensors["cls.predictions.bias"] = ("F32", [3], [1, 2, 3]);
        prefixed.Tensors[prefix + "pooler.dense.bias"] = ("F32", [1], [1]);
        prefixed.Tensors[prefix + "embeddings.position_ids"] = ("U8", [1, 2], [0, 1]);
        Assert.Equal(States(tiny), States(prefixed));

        static float[] States(TinyBert tiny) => OnnxRuntimeTests.Encode(EncoderModel.Load(tiny.Save().Folder), Sequences)[0];
    }

    [Fact]
    public static void Norms_may_have_their_names_of_the_first_years()
    {
        using TinyBert tiny = new(), old = new();
        foreach (string name in old.Tensors.Keys.Where(static name => name.Contains("LayerNorm", StringComparison.Ordinal)).ToArray())
        {
            old.Tensors.Remove(name, out (string, int[], float[]) tensor);
            old.Tensors.Add(name.Replace("weight", "gamma", StringComparison.Ordinal).Replace("bias", "beta", StringComparison.Ordinal), tensor);
        }

        Assert.Equal(Encode(EncoderModel.Load(tiny.Save().Folder), Sequences), Encode(EncoderModel.Load(old.Save().Folder), Sequences));
    }

    [Fact]
    public static void Token_types_are_added()
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder);
        int[] ids = [2, 5, 3, 8, 3], types = [0, 0, 0, 1, 1];
        float[] states = new float[ids.Length * TinyBert.Hidden];
        model.Encode(ids, default, states, types);
        AssertFormula(Oracle(tiny, NaiveEncoder.Gelu).Encode(ids, types), states);
    }

    [Theory]
    [MemberData(nameof(InstructionSets_))]
    public static void A_sequence_has_the_same_bits_alone_and_for_any_number_of_threads(InstructionSet instructionSet)
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder).For(instructionSet);
        Random random = new(3);
        int[][] many = [.. Enumerable.Range(0, 200).Select(_ => Enumerable.Range(0, random.Next(1, TinyBert.MaxPositions + 1)).Select(_ => random.Next(TinyVocabulary.Tokens.Length)).ToArray())];
        float[][] together = Encode(model, many);
        for (int i = 0; i < many.Length; i++)
            Assert.Equal(together[i], Encode(model, [many[i]], threads: 1)[0]);
        Assert.Equal(together, Encode(model, many, threads: 1));
        Assert.Equal(together, Encode(model, many, threads: 3));
    }

    [Fact]
    public static void Empty_sequences_and_batches_have_no_states()
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder);
        model.Encode([], [], []);
        model.Encode([], [0], []);
        Assert.Equal(Encode(model, [[2, 3]])[0], Encode(model, [[], [2, 3], []])[1]);
    }

    [Fact]
    public static void Nothing_is_written_after_the_states()
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder);
        float[] states = new float[2 * TinyBert.Hidden + 5];
        Array.Fill(states, 7);
        model.Encode([2, 3], [], states);
        Assert.DoesNotContain(7, states[..(2 * TinyBert.Hidden)]);
        Assert.Equal([7, 7, 7, 7, 7], states[(2 * TinyBert.Hidden)..]);
    }

    [Fact]
    public static void A_warm_call_allocates_nothing()
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder);
        int[] ids = [2, 5, 6, 3, 2, 3], starts = [0, 4, 6];
        float[] states = new float[ids.Length * TinyBert.Hidden];
        for (int i = 0; i < 50; i++)
            model.Encode(ids, starts, states);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++)
            model.Encode(ids, starts, states);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public static void A_cancelled_call_ends()
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder);
        Assert.Throws<OperationCanceledException>(() => model.Encode([2, 3], [], new float[2 * TinyBert.Hidden], execution: new() { CancellationToken = new CancellationToken(canceled: true) }));
    }

    [Theory]
    [InlineData("tokenIds", new[] { 2, 19 }, new[] { 0, 2 }, 48, null)]
    [InlineData("tokenIds", new[] { -1, 3 }, new[] { 0, 2 }, 48, null)]
    [InlineData("starts", new[] { 2, 3 }, new[] { 0, 1 }, 48, null)]
    [InlineData("starts", new[] { 2, 3 }, new[] { 1, 2 }, 48, null)]
    [InlineData("starts", new[] { 2, 3 }, new[] { 0, 3, 2 }, 48, null)]
    [InlineData("starts", new[] { 2, 3 }, new[] { 0, int.MaxValue, int.MinValue, 2 }, 48, null)]
    [InlineData("starts", new[] { 2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3 }, new[] { 0, 13 }, 13 * 24, null)]
    [InlineData("hiddenStates", new[] { 2, 3 }, new[] { 0, 2 }, 47, null)]
    [InlineData("tokenTypes", new[] { 2, 3 }, new[] { 0, 2 }, 48, new[] { 0 })]
    [InlineData("tokenTypes", new[] { 2, 3 }, new[] { 0, 2 }, 48, new[] { 0, 2 })]
    public static void An_argument_that_does_not_fit_is_named_before_anything_is_written(string name, int[] ids, int[] starts, int floats, int[]? types)
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder);
        float[] states = new float[floats];
        Assert.Equal(name, Assert.Throws<ArgumentException>(() => model.Encode(ids, starts, states, types)).ParamName);
        Assert.All(states, static state => Assert.Equal(0, state));
    }

    internal static NaiveEncoder Oracle(TinyBert tiny, Func<double, double> activation) => new(tiny.Tensors.ToDictionary(static tensor => tensor.Key, static tensor => tensor.Value.Numbers, StringComparer.Ordinal), activation);

    internal static void AssertFormula(NaiveEncoder oracle, EncoderModel model, int[][] sequences, double epsilon = 1e-12)
    {
        float[][] states = Encode(model, sequences);
        for (int i = 0; i < sequences.Length; i++)
            AssertFormula(oracle.Encode(sequences[i], epsilon: epsilon), states[i]);
    }

    private static void AssertFormula(double[][] expected, float[] states)
    {
        Assert.Equal(expected.Length * TinyBert.Hidden, states.Length);
        for (int i = 0; i < states.Length; i++)
            Assert.Equal(expected[i / TinyBert.Hidden][i % TinyBert.Hidden], states[i], Tolerance);
    }

    private static float[][] Encode(EncoderModel model, IReadOnlyList<int[]> sequences, int threads = 0) => OnnxRuntimeTests.Encode(model, sequences, threads);
}
