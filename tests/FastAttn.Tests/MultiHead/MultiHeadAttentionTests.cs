using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>The layer against the formula in double.</summary>
public static class MultiHeadAttentionTests
{
    /// <summary>Of the output's norm: a twentieth of the contract's 1e-4.</summary>
    private const double Tolerance = 5e-6;

    // Every option, odd sizes, dimensions with kernels of their own and without.
    private static readonly Dictionary<string, Layer> Layers = new(StringComparer.Ordinal)
    {
        ["usual"] = new(new() { ModelDim = 128, Heads = 4 }),
        ["causal without biases"] = new(new() { ModelDim = 64, Heads = 2, Mask = AttentionMask.Causal }, hasBias: false),
        ["one head of one"] = new(new() { ModelDim = 1, Heads = 1 }),
        ["odd"] = new(new() { ModelDim = 39, Heads = 3, Mask = AttentionMask.Causal }),
        ["head dimensions of their own"] = new(new() { ModelDim = 50, Heads = 3, HeadDim = 7, ValueDim = 11, Scale = 0.3f }),
        ["grouped"] = new(new() { ModelDim = 64, Heads = 6, KeyValueHeads = 2, HeadDim = 16, ValueDim = 16, Mask = AttentionMask.Causal }),
        ["multi-query"] = new(new() { ModelDim = 40, Heads = 5, KeyValueHeads = 1 }),
        ["rotary, half split"] = new(new() { ModelDim = 96, Heads = 3, Mask = AttentionMask.Causal, Rotary = new(32) }, hasBias: false),
        ["rotary, interleaved, partial"] = new(new() { ModelDim = 60, Heads = 3, Rotary = new(10, RotaryPairing.Interleaved) }),
        ["rotary with a factor"] = new(new() { ModelDim = 60, Heads = 3, Rotary = new(10, attentionFactor: 1.3) }),
        ["normalised, grouped, rotary"] = new(new() { ModelDim = 48, Heads = 4, KeyValueHeads = 2, HeadDim = 18, ValueDim = 9, Mask = AttentionMask.Causal, Rotary = new(18), NormEpsilon = 1e-3f }, hasNorm: true),
    };

    private static readonly Layer Cross = new(new() { ModelDim = 30, Heads = 3, QueryInputDim = 21, KeyInputDim = 34, ValueInputDim = 13 });

    public static TheoryData<string> Names => [.. Layers.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public static void Self_attention_equals_the_formula(string name)
    {
        Layer layer = Layers[name];
        MultiHeadAttention built = layer.Build();
        foreach ((int batch, int length) in Budget.IsSmall ? [(2, 7)] : ((int, int)[])[(1, 1), (2, 7), (1, 40), (3, 17)])
        {
            float[] input = Tokens.Normal(batch * length * layer.Options.ModelDim), output = new float[input.Length];
            double[] exact = layer.Exact(Tokens.Exact(input), Tokens.Exact(input), Tokens.Exact(input), batch, length, length);
            foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(built.For))
            {
                bound.Forward(input, output, batch, length);
                Tokens.AreClose($"{bound.InstructionSet}: {name}, {batch} x {length}", exact, output, Tolerance);
            }
        }
    }

    [Fact]
    public static void Cross_attention_of_inputs_of_different_dimensions_equals_the_formula()
    {
        const int Batch = 2, QueryLength = 5, KeyLength = 19;
        float[] query = Tokens.Normal(Batch * QueryLength * 21), key = Tokens.Normal(Batch * KeyLength * 34, 3), value = Tokens.Normal(Batch * KeyLength * 13, 4), output = new float[Batch * QueryLength * 30];
        double[] exact = Cross.Exact(Tokens.Exact(query), Tokens.Exact(key), Tokens.Exact(value), Batch, QueryLength, KeyLength);
        MultiHeadAttention built = Cross.Build(WeightLayout.OutputInput);
        foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(built.For))
        {
            bound.Forward(query, key, value, output, Batch, QueryLength, KeyLength);
            Tokens.AreClose($"{bound.InstructionSet}: cross", exact, output, Tolerance);

            KeyValueCache memory = bound.ProjectMemory(key, value, Batch, KeyLength);
            var kept = new float[output.Length];
            for (int call = 0; call < 2; call++)
            {
                bound.Attend(query, memory, kept, QueryLength);
                Compare.SameBits($"{bound.InstructionSet}: kept memory", output, kept);
            }
        }
    }

    [Fact]
    public static void Layouts_and_weights_side_by_side_change_no_bit()
    {
        foreach (string name in (string[])["odd", "grouped", "normalised, grouped, rotary"])
        {
            Layer layer = Layers[name];
            float[] input = Tokens.Normal(11 * layer.Options.ModelDim), expected = new float[input.Length], actual = new float[input.Length];
            layer.Build().Forward(input, expected, 1, 11);
            foreach ((WeightLayout layout, bool isQkv) in ((WeightLayout, bool)[])[(WeightLayout.OutputInput, false), (WeightLayout.InputOutput, true), (WeightLayout.OutputInput, true)])
            {
                layer.Build(layout, isQkv).Forward(input, actual, 1, 11);
                Compare.SameBits($"{name}, {layout}, QKV {isQkv}", expected, actual);
            }
        }
    }

    [Theory]
    [InlineData("usual")]
    [InlineData("rotary, half split")]
    public static void Padding_changes_no_sequence(string name)
    {
        const int Length = 13;
        int[] lengths = [13, 1, 6];
        Layer layer = Layers[name];
        MultiHeadAttention built = layer.Build();
        int dim = layer.Options.ModelDim;
        float[] input = Tokens.Normal(lengths.Length * Length * dim), output = new float[input.Length];
        built.Forward(input, output, lengths.Length, Length, new() { KeyLengths = lengths });
        for (int b = 0; b < lengths.Length; b++)
        {
            float[] alone = input.AsSpan(b * Length * dim, lengths[b] * dim).ToArray();
            double[] exact = layer.Exact(Tokens.Exact(alone), Tokens.Exact(alone), Tokens.Exact(alone), 1, lengths[b], lengths[b]);
            Tokens.AreClose($"{name}, sequence {b}", exact, output.AsSpan(b * Length * dim, alone.Length), Tolerance);
        }
    }

    [Fact]
    public static void Padded_sequences_have_the_bits_that_they_have_alone()
    {
        const int Length = 70;
        int[] lengths = [70, 20, 40, 9, 1, 3];
        foreach (string name in (string[])["usual", "rotary, half split", "normalised, grouped, rotary"])
        {
            Layer layer = Layers[name];
            MultiHeadAttention built = layer.Build();
            int dim = layer.Options.ModelDim;
            float[] input = Tokens.Normal(lengths.Length * Length * dim), output = new float[input.Length];
            built.Forward(input, output, lengths.Length, Length, new() { KeyLengths = lengths });
            for (int b = 0; b < lengths.Length; b++)
            {
                int start = b * Length * dim, floats = lengths[b] * dim;
                var alone = new float[floats];
                built.Forward(input.AsSpan(start, floats), alone, 1, lengths[b]);
                Compare.SameBits($"{name}, sequence {b}", alone, output.AsSpan(start, floats));
            }
        }
    }

    [Fact]
    public static void Memory_of_padded_sequences_has_their_lengths()
    {
        int[] lengths = [4, 9];
        Layer layer = Layers["usual"];
        MultiHeadAttention built = layer.Build();
        float[] query = Tokens.Normal(2 * 3 * 128), memory = Tokens.Normal(2 * 9 * 128, 5), output = new float[query.Length];
        KeyValueCache projected = built.ProjectMemory(memory, memory, 2, 9, lengths);
        built.Attend(query, projected, output, 3);
        Assert.Equal(lengths, projected.Lengths.ToArray());
        Tokens.AreClose("padded memory", layer.Exact(Tokens.Exact(query), Tokens.Exact(memory), Tokens.Exact(memory), 2, 3, 9, lengths), output, Tolerance);
    }

    [Fact]
    public static void Masks_windows_and_softcaps_reach_the_attention()
    {
        // Against the library's own attention over projections by identity matrices.
        const int Length = 12, Dim = 16;
        float[] identity = new float[Dim * Dim], input = Tokens.Normal(Length * Dim), mask = Tokens.Normal(Length * Length, 9), expected = new float[input.Length], actual = new float[input.Length];
        for (int i = 0; i < Dim; i++)
            identity[i * Dim + i] = 1;
        MultiHeadAttentionOptions options = new() { ModelDim = Dim, Heads = 1, Softcap = 2, Window = new(3, 2), Mask = AttentionMask.Causal };
        MultiHeadAttention layer = new(options, new() { Query = identity, Key = identity, Value = identity, Output = identity });
        AttentionOptions call = new() { AdditiveMask = mask, AlibiSlopes = [0.5f], Sinks = [0.25f] };

        layer.Forward(input, actual, 1, Length, call);
        ScaledDotProductAttention.Forward(input, input, input, expected, new AttentionShape(1, 1, Length), Dim, AttentionMask.Causal, call with { Softcap = 2, Window = new(3, 2) });
        Compare.SameBits("options", expected, actual);
    }

    [Fact]
    public static void Output_may_be_the_input()
    {
        Layer layer = Layers["odd"];
        MultiHeadAttention built = layer.Build();
        float[] input = Tokens.Normal(20 * 39), expected = new float[input.Length];
        built.Forward(input, expected, 2, 10);
        built.Forward(input, input, 2, 10);
        Compare.SameBits("in place", expected, input);
    }

    /// <summary>As arrays of a pool are: what they hold after the needed elements is neither read nor written.</summary>
    [Fact]
    public static void Elements_of_longer_buffers_after_the_needed_ones_do_not_matter()
    {
        const int Batch = 2, Length = 5;
        Layer layer = Layers["odd"];
        MultiHeadAttention built = layer.Build();
        float[] input = Tokens.Normal(Batch * Length * 39), longInput = [.. input, float.NaN, float.NaN];
        float[] expected = new float[input.Length], actual = [.. new float[input.Length], Canary.Value, Canary.Value];
        Check("self-attention", () => built.Forward(input, expected, Batch, Length), () => built.Forward(longInput, actual, Batch, Length));
        Check("other input", () => built.Forward(input, input, input, expected, Batch, Length, Length), () => built.Forward(longInput, longInput, longInput, actual, Batch, Length, Length));
        Check(
            "memory",
            () => built.Attend(input, built.ProjectMemory(input, input, Batch, Length), expected, Length),
            () => built.Attend(longInput, built.ProjectMemory(longInput, longInput, Batch, Length), actual, Length));
        Check("cache", () => built.Forward(input, expected, built.CreateCache(Batch, Length), Length), () => built.Forward(longInput, actual, built.CreateCache(Batch, Length), Length));

        void Check(string what, Action exact, Action longer)
        {
            exact();
            longer();
            Compare.SameBits(what, expected, actual.AsSpan(0, expected.Length));
            Assert.True(Canary.Is(actual[^1]) && Canary.Is(actual[^2]), $"{what}: wrote behind the output.");
            actual.AsSpan(0, expected.Length).Clear();
        }
    }

    [Fact]
    public static void Number_of_threads_changes_no_bit()
    {
        // Enough multiply-adds for 7 threads in every step at 2 million each, where that is affordable.
        Layer layer = new(new() { ModelDim = Budget.Of(192, 64), Heads = 4, Mask = AttentionMask.Causal, Rotary = new(16) }, hasNorm: true);
        int length = Budget.Of(220, 60);
        foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(layer.Build().For))
        {
            float[] input = Tokens.Normal(2 * length * layer.Options.ModelDim), expected = new float[input.Length], actual = new float[input.Length];
            bound.Forward(input, expected, 2, length, execution: new() { MaxDegreeOfParallelism = 1 });
            foreach (int threads in (int[])[2, 3, 7, 0])
            {
                Array.Clear(actual);
                bound.Forward(input, actual, 2, length, execution: new() { MaxDegreeOfParallelism = threads });
                Compare.SameBits($"{bound.InstructionSet}: {threads} threads", expected, actual);
            }
        }
    }

    [Fact]
    public static void Empty_batches_and_sequences_are_accepted()
    {
        Layer layer = Layers["odd"];
        MultiHeadAttention built = layer.Build();
        built.Forward([], [], 0, 5);
        built.Forward([], [], 3, 0);
        built.Forward([], [], built.CreateCache(0, 4), 2);

        // Without keys every head gives 0: what is left is W_O's bias.
        float[] query = Tokens.Normal(2 * 39), output = new float[query.Length];
        built.Forward(query, [], [], output, 1, 2, 0);
        Tokens.AreClose("no keys", layer.Exact(Tokens.Exact(query), [], [], 1, 2, 0), output, Tolerance);
    }

    [Fact]
    public static void Layer_for_an_instruction_set_is_made_once()
    {
        MultiHeadAttention layer = Layers["usual"].Build();
        foreach (InstructionSet instructionSet in Enum.GetValues<InstructionSet>())
        {
            if (!InstructionSets.IsSupported(instructionSet))
            {
                Assert.Throws<PlatformNotSupportedException>(() => layer.For(instructionSet));
                continue;
            }

            Assert.Equal(instructionSet, layer.For(instructionSet).InstructionSet);
            Assert.Same(layer.For(instructionSet), layer.For(instructionSet).For(instructionSet));
        }

        Assert.Same(layer, layer.For(InstructionSets.Default));
    }
}
