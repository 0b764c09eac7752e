using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Layers over sequences that follow each other without padding: each has the bits that it has alone, in a call of batch 1 without starts.</summary>
public static class RaggedLayerTests
{
    private const int Dim = 32, Heads = 4;

    /// <summary>Of the output's norm: as in <see cref="MultiHeadAttentionTests"/>.</summary>
    private const double Tolerance = 5e-6;

    // Few queries and many, on both sides of a register tile of 48, and sequences without tokens.
    private static readonly int[] Lengths = Budget.IsSmall ? [5, 0, 1, 17, 2] : [100, 1, 48, 0, 9, 49, 2, 47, 5, 0];

    // Bounds that no sequence reaches, and that are no bounds of memory.
    private const int Bound = 1_000_000_000;

    private static readonly Dictionary<string, Layer> Layers = new(StringComparer.Ordinal)
    {
        ["usual"] = new(Options),
        ["causal"] = new(Options with { Mask = AttentionMask.Causal }),
        ["causal, rotary"] = new(Options with { Mask = AttentionMask.Causal, Rotary = new(8) }),
        ["rotary with axes, normalised"] = new(Options with { Rotary = new(8, axes: [0, 1, 1, 2]) }, hasNorm: true, axes: [0, 1, 1, 2]),
        ["window, normalised after rotary"] = new(Options with { Window = new(20, 3), Rotary = new(6), NormAfterRotary = true, NormScope = NormScope.AllHeads }, hasNorm: true, hasNormOfEachHead: true),
        ["grouped, causal window, softcap"] = new(Options with { KeyValueHeads = 2, Mask = AttentionMask.Causal, Window = AttentionWindow.Sliding(30), Softcap = 3, Rotary = new(8) }),
        ["value dimension of its own"] = new(Options with { ValueDim = 11, HeadDim = 10 }),
    };

    private static MultiHeadAttentionOptions Options => new() { ModelDim = Dim, Heads = Heads };

    public static TheoryData<string> Names => [.. Layers.Keys];

    public static TheoryData<string> Kinds => ["ALiBi", "sinks", "ALiBi, sinks, offset", "offsets", "additive mask", "boolean mask", "bit mask", "positions"];

    [Theory]
    [MemberData(nameof(Names))]
    public static void Sequence_of_ragged_self_attention_has_the_bits_that_it_has_alone(string name)
    {
        int[] starts = Starts(Lengths);
        float[] input = Tokens.Normal(starts[^1] * Dim), output = new float[input.Length];
        foreach (MultiHeadAttention layer in InstructionSets.Supported.Select(Layers[name].Build().For))
        {
            foreach (int threads in (int[])[1, 3])
            {
                Array.Fill(output, float.NaN);
                layer.Forward(input, output, Lengths.Length, Bound, new() { QueryStarts = starts, KeyStarts = starts }, execution: new() { MaxDegreeOfParallelism = threads });
                for (int b = 0; b < Lengths.Length; b++)
                {
                    var alone = new float[Lengths[b] * Dim];
                    layer.Forward(Of(input, starts, b), alone, 1, Lengths[b]);
                    Compare.SameBits($"{layer.InstructionSet}: {name}, {threads} threads, sequence {b} of {Lengths[b]}", alone, Of(output, starts, b));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public static void Sequence_of_ragged_cross_attention_has_the_bits_that_it_has_alone(string name)
    {
        // As many keys as queries, fewer, more, and none.
        int[] keyLengths = [.. Lengths.Select(static (length, b) => (b % 4) switch { 0 => length, 1 => length + 13, 2 => length / 2, _ => 40 })];
        int[] queryStarts = Starts(Lengths), keyStarts = Starts(keyLengths);
        float[] query = Tokens.Normal(queryStarts[^1] * Dim), key = Tokens.Normal(keyStarts[^1] * Dim, 3), value = Tokens.Normal(key.Length, 4), output = new float[query.Length], kept = new float[query.Length];
        foreach (MultiHeadAttention layer in InstructionSets.Supported.Select(Layers[name].Build().For))
        {
            layer.Forward(query, key, value, output, Lengths.Length, Bound, Bound, new() { QueryStarts = queryStarts, KeyStarts = keyStarts });
            KeyValueCache memory = layer.ProjectMemory(key, value, Lengths.Length, Bound, keyStarts: keyStarts);
            Assert.Equal(keyLengths, memory.Lengths.ToArray());
            layer.Attend(query, memory, kept, Bound, new() { QueryStarts = queryStarts });
            for (int b = 0; b < Lengths.Length; b++)
            {
                string what = $"{layer.InstructionSet}: {name}, sequence {b} of {Lengths[b]} and {keyLengths[b]}";
                var alone = new float[Lengths[b] * Dim];
                layer.Forward(Of(query, queryStarts, b), Of(key, keyStarts, b), Of(value, keyStarts, b), alone, 1, Lengths[b], keyLengths[b]);
                Compare.SameBits(what, alone, Of(output, queryStarts, b));
                Compare.SameBits($"{what}, memory", alone, Of(kept, queryStarts, b));
            }
        }
    }

    /// <summary>Prompts of several lengths, then more of a prompt beside single tokens, drafts and nothing.</summary>
    [Theory]
    [InlineData("causal")]
    [InlineData("causal, rotary")]
    [InlineData("grouped, causal window, softcap")]
    public static void Sequences_append_their_own_numbers_of_tokens_as_if_each_had_a_cache(string name)
    {
        const int Batch = 4;
        int[][] steps = [[7, 0, 50, 1], [1, 1, 1, 1], [0, 60, 1, 5], [0, 0, 0, 0], [12, 1, 48, 49]];
        foreach (MultiHeadAttention layer in InstructionSets.Supported.Select(Layers[name].Build().For))
        {
            KeyValueCache cache = layer.CreateCache(Batch, 1), padded = layer.CreateCache(Batch, 1);
            KeyValueCache[] alone = [.. Enumerable.Range(0, Batch).Select(_ => layer.CreateCache(1, 1))];
            for (int step = 0; step < steps.Length; step++)
            {
                int[] lengths = steps[step], starts = Starts(lengths);
                int longest = lengths.Max();
                float[] input = Tokens.Normal(starts[^1] * Dim, step), output = new float[input.Length], paddedInput = new float[Batch * longest * Dim], paddedOutput = new float[paddedInput.Length];
                for (int b = 0; b < Batch; b++)
                    Of(input, starts, b).CopyTo(paddedInput.AsSpan(b * longest * Dim));
                layer.Forward(input, output, cache, Bound, new() { QueryStarts = starts });
                layer.Forward(paddedInput, paddedOutput, padded, longest, new() { QueryLengths = lengths });
                for (int b = 0; b < Batch; b++)
                {
                    string what = $"{layer.InstructionSet}: {name}, step {step}, sequence {b}";
                    var expected = new float[lengths[b] * Dim];
                    layer.Forward(Of(input, starts, b), expected, alone[b], lengths[b]);
                    Compare.SameBits(what, expected, Of(output, starts, b));
                    Compare.SameBits($"{what}, padded", expected, paddedOutput.AsSpan(b * longest * Dim, expected.Length));
                    Assert.Equal(alone[b].Lengths[0], cache.Lengths[b]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Options_of_a_ragged_call_are_those_of_each_sequence(string kind)
    {
        // Masks are of the longest sequence, so that the bounds are.
        int batch = Lengths.Length, longest = Lengths.Max();
        int[] starts = Starts(Lengths), offsets = [.. Enumerable.Range(0, batch).Select(static b => 3 * b % 7)];
        int tokens = starts[^1];
        var random = new Random(7);
        int[] positions = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(50_000))];
        float[] slopes = [0.5f, 0.25f, 0.1f, 0], sinks = [1, -1, 0.5f, float.NegativeInfinity];
        float[] additive = Tokens.Normal(batch * longest * longest, 5);
        bool[] seen = [.. additive.Select(static x => x > -0.5f)];
        int rowBytes = (longest + 7) / 8;
        var bits = new byte[batch * longest * rowBytes];
        random.NextBytes(bits);
        AttentionMaskSizes whole = new(batch, 1, longest, longest);

        Layer described = Layers[kind == "positions" || kind.Contains("offset", StringComparison.Ordinal) ? "causal, rotary" : "usual"];
        float[] input = Tokens.Normal(tokens * Dim), output = new float[input.Length];
        foreach (MultiHeadAttention layer in InstructionSets.Supported.Select(described.Build().For))
        {
            layer.Forward(input, output, batch, longest, With(whole, null) with { QueryStarts = starts, KeyStarts = starts }, kind == "positions" ? positions : default);
            for (int b = 0; b < batch; b++)
            {
                // Alone with the same padded mask: a shape of the sequence's own lengths takes only their part of it.
                int length = Lengths[b];
                var alone = new float[length * Dim];
                ReadOnlySpan<int> own = kind == "positions" ? positions.AsSpan(starts[b], length) : default;
                layer.Forward(Of(input, starts, b), alone, 1, length, With(new(1, 1, length, length), b), own);
                Compare.SameBits($"{layer.InstructionSet}: {kind}, sequence {b} of {length}", alone, Of(output, starts, b));
            }
        }

        // Of all sequences where none is named.
        AttentionOptions With(AttentionMaskSizes sizes, int? sequence)
        {
            int first = (sequence ?? 0) * longest;
            return kind switch
            {
                "ALiBi" => new() { AlibiSlopes = slopes },
                "sinks" => new() { Sinks = sinks },
                "ALiBi, sinks, offset" => new() { AlibiSlopes = slopes, Sinks = sinks, PositionOffset = 4 },
                "offsets" => sequence is { } b ? new() { PositionOffset = offsets[b] } : new() { PositionOffsets = offsets },
                "additive mask" => new() { AdditiveMask = new(additive.AsSpan(first * longest), sizes, new AttentionMaskStrides(longest * longest, 0, longest)) },
                "boolean mask" => new() { BooleanMask = new(seen.AsSpan(first * longest), sizes, new AttentionMaskStrides(longest * longest, 0, longest)) },
                "bit mask" => new() { BitMask = new(bits.AsSpan(first * rowBytes), sizes, new AttentionMaskStrides(longest * rowBytes * 8, 0, rowBytes * 8)) },
                _ => default,
            };
        }
    }

    /// <summary>Against the formula in double, which shares no code with the library.</summary>
    [Theory]
    [InlineData("usual")]
    [InlineData("causal")]
    [InlineData("causal, rotary")]
    [InlineData("value dimension of its own")]
    public static void Ragged_self_attention_equals_the_formula(string name)
    {
        int[] lengths = [3, 20, 0, 1], starts = Starts(lengths);
        Layer layer = Layers[name];
        float[] input = Tokens.Normal(starts[^1] * Dim), output = new float[input.Length];
        foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(layer.Build().For))
        {
            bound.Forward(input, output, lengths.Length, 20, new() { QueryStarts = starts, KeyStarts = starts });
            foreach (int b in (int[])[0, 1, 3])
            {
                double[] tokens = Tokens.Exact(Of(input, starts, b).ToArray());
                Tokens.AreClose($"{bound.InstructionSet}: {name}, sequence {b}", layer.Exact(tokens, tokens, tokens, 1, lengths[b], lengths[b]), Of(output, starts, b), Tolerance);
            }
        }
    }

    [Fact]
    public static void Ragged_positions_that_count_from_each_start_change_no_bit()
    {
        int[] starts = Starts(Lengths), indices = [.. Lengths.SelectMany(static length => Enumerable.Range(0, length))];
        foreach (string name in (string[])["causal, rotary", "rotary with axes, normalised"])
        {
            MultiHeadAttention layer = Layers[name].Build();
            int[] positions = [.. Enumerable.Repeat(indices, layer.Options.Rotary!.Axes).SelectMany(static x => x)];
            float[] input = Tokens.Normal(starts[^1] * Dim), expected = new float[input.Length], actual = new float[input.Length];
            layer.Forward(input, expected, Lengths.Length, Bound, new() { QueryStarts = starts, KeyStarts = starts });
            layer.Forward(input, actual, Lengths.Length, Bound, new() { QueryStarts = starts, KeyStarts = starts }, positions);
            Compare.SameBits(name, expected, actual);
        }
    }

    /// <summary>Elements behind the tokens are neither read nor written; nor are there rows of padding.</summary>
    [Fact]
    public static void Ragged_calls_read_and_write_only_their_tokens()
    {
        int[] starts = Starts(Lengths);
        MultiHeadAttention layer = Layers["causal, rotary"].Build();
        float[] input = Tokens.Normal(starts[^1] * Dim), expected = new float[input.Length];
        float[] longInput = [.. input, .. Enumerable.Repeat(float.NaN, Dim)], actual = [.. expected, .. Enumerable.Repeat(Canary.Value, Dim)];
        layer.Forward(input, expected, Lengths.Length, Bound, new() { QueryStarts = starts, KeyStarts = starts });
        layer.Forward(longInput, actual, Lengths.Length, Bound, new() { QueryStarts = starts, KeyStarts = starts });
        Compare.SameBits("longer buffers", expected, actual.AsSpan(0, expected.Length));
        Assert.All(actual[expected.Length..], static x => Assert.True(Canary.Is(x)));

        // In place.
        layer.Forward(input, input, Lengths.Length, Bound, new() { QueryStarts = starts, KeyStarts = starts });
        Compare.SameBits("in place", expected, input);
    }

    [Fact]
    public static void Ragged_batches_without_tokens_are_accepted()
    {
        MultiHeadAttention layer = Layers["causal"].Build();
        int[] none = [0], empty = [0, 0, 0];
        layer.Forward([], [], 0, 5, new() { QueryStarts = none, KeyStarts = none });
        layer.Forward([], [], 2, 5, new() { QueryStarts = empty, KeyStarts = empty });
        KeyValueCache cache = layer.CreateCache(2, 4);
        layer.Forward([], [], cache, 5, new() { QueryStarts = empty });
        Assert.Equal([0, 0], cache.Lengths.ToArray());

        // Without keys every head gives 0: what is left is W_O's bias, which is the same for all queries.
        int[] queries = [0, 1, 2], keys = [0, 0, 3];
        float[] query = Tokens.Normal(2 * Dim), key = Tokens.Normal(3 * Dim), output = new float[query.Length], alone = new float[Dim];
        layer.Forward(query, key, key, output, 2, 1, 3, new() { QueryStarts = queries, KeyStarts = keys });
        layer.Forward(query.AsSpan(0, Dim), [], [], alone, 1, 1, 0);
        Compare.SameBits("no keys", alone, output.AsSpan(0, Dim));
    }

    [Fact]
    public static void Ragged_calls_refuse_what_does_not_fit()
    {
        MultiHeadAttention plain = Layers["usual"].Build(), causal = Layers["causal, rotary"].Build();
        float[] tokens = new float[6 * Dim];
        int[] right = [0, 2, 6], other = [0, 3, 6];
        KeyValueCache memory = causal.ProjectMemory(tokens, tokens, 2, 3), cache = causal.CreateCache(2, 8), small = causal.CreateCache(2, 2, canGrow: false);

        // Starts that do not fit, or are not given.
        foreach (int[] wrong in (int[][])[[], [0, 6], [1, 2, 6], [0, 4, 2], [0, -1, 6], [0, 1, 6]])
        {
            Refused("options", output => plain.Forward(tokens, output, 2, 4, new() { QueryStarts = wrong, KeyStarts = right }));
            Refused("options", output => plain.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = wrong }));
            Refused("options", output => plain.Forward(tokens, tokens, tokens, output, 2, 4, 4, new() { QueryStarts = wrong, KeyStarts = right }));
            Refused("options", output => plain.Forward(tokens, tokens, tokens, output, 2, 4, 4, new() { QueryStarts = right, KeyStarts = wrong }));
            if (wrong.Length == 0)
                continue;
            Refused("options", output => causal.Attend(tokens, memory, output, 4, new() { QueryStarts = wrong }));
            Refused("options", output => causal.Forward(tokens, output, cache, 4, new() { QueryStarts = wrong }));
            Refused("keyStarts", _ => causal.ProjectMemory(tokens, tokens, 2, 4, keyStarts: wrong));
        }

        Refused("options", output => plain.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = other }), "are of the same tokens");

        // Lengths beside starts.
        Refused("options", output => plain.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = right, KeyLengths = [1, 1] }), "leave out KeyLengths");
        Refused("options", output => plain.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = right, QueryLengths = [1, 1] }), "leave out QueryLengths");
        Refused("options", output => causal.Forward(tokens, output, cache, 4, new() { QueryStarts = right, QueryLengths = [1, 1] }), "leave out QueryLengths");
        Refused("options", output => causal.Attend(tokens, memory, output, 4, new() { QueryStarts = right, QueryLengths = [1, 1] }), "leave out QueryLengths");
        Refused("keyLengths", _ => causal.ProjectMemory(tokens, tokens, 2, 4, [1, 1], keyStarts: right), "leave out keyLengths");

        // A cache and a memory have keys of their own.
        Refused("options", output => causal.Forward(tokens, output, cache, 4, new() { QueryStarts = right, KeyStarts = right }), "KeyStarts");
        Refused("options", output => causal.Forward(tokens, output, cache, 4, new() { KeyStarts = right }), "KeyStarts");
        Refused("options", output => causal.Attend(tokens, memory, output, 4, new() { QueryStarts = right, KeyStarts = right }), "KeyStarts");

        // Buffers and positions are those of the tokens.
        Refused("input", output => plain.Forward(tokens.AsSpan(1), output, 2, 4, new() { QueryStarts = right, KeyStarts = right }), "6 tokens");
        Refused("output", output => plain.Forward(tokens, output.AsSpan(1), 2, 4, new() { QueryStarts = right, KeyStarts = right }), "6 tokens");
        Refused("key", output => plain.Forward(tokens, tokens.AsSpan(1), tokens, output, 2, 4, 4, new() { QueryStarts = right, KeyStarts = right }), "6 tokens");
        Refused("input", output => causal.Forward(tokens.AsSpan(1), output, cache, 4, new() { QueryStarts = right }), "6 tokens");
        Refused("query", output => causal.Attend(tokens.AsSpan(1), memory, output, 4, new() { QueryStarts = right }), "6 tokens");
        Refused("value", _ => causal.ProjectMemory(tokens, tokens.AsSpan(1), 2, 4, keyStarts: right), "6 tokens");
        foreach (int count in (int[])[5, 7, 8])
        {
            Refused("positions", output => causal.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = right }, new int[count]));
            Refused("positions", output => causal.Forward(tokens, output, cache, 4, new() { QueryStarts = right }, new int[count]));
        }

        // Rotary positions end with those of an int; the bound is no position.
        Refused("options", output => causal.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = right, PositionOffset = int.MaxValue - 2 }));
        causal.Forward(tokens, new float[tokens.Length], 2, int.MaxValue, new() { QueryStarts = right, KeyStarts = right, PositionOffset = int.MaxValue - 3 });

        // Weights are of padded calls.
        float[] weights = new float[2 * Heads * 4 * 8];
        Refused("attentionWeights", output => plain.Forward(tokens, output, 2, 4, new() { QueryStarts = right, KeyStarts = right }, attentionWeights: weights), "A padded batch");
        Refused("attentionWeights", output => plain.Forward(tokens, tokens, tokens, output, 2, 4, 4, new() { QueryStarts = right, KeyStarts = right }, attentionWeights: weights), "A padded batch");
        Refused("attentionWeights", output => causal.Attend(tokens, memory, output, 4, new() { QueryStarts = right }, attentionWeights: weights), "A padded batch");
        Refused("attentionWeights", output => causal.Forward(tokens, output, cache, 4, new() { QueryStarts = right }, attentionWeights: weights), "A padded batch");

        // A cache without room.
        Assert.Throws<InvalidOperationException>(() => causal.Forward(tokens, new float[tokens.Length], small, 4, new() { QueryStarts = right }));
        Assert.Equal([0, 0], cache.Lengths.ToArray());
        Assert.Equal([0, 0], small.Lengths.ToArray());

        void Refused(string parameter, Action<float[]> call, string message = "")
        {
            var output = new float[tokens.Length];
            Array.Fill(output, Canary.Value);
            ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => call(output));
            Assert.Equal(parameter, error.ParamName);
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
            Assert.All(output, static x => Assert.True(Canary.Is(x)));
        }
    }

    private static int[] Starts(int[] lengths) => lengths.Aggregate((int[])[0], static (starts, length) => [.. starts, starts[^1] + length]);

    /// <summary>The rows of a sequence.</summary>
    private static Span<float> Of(float[] rows, int[] starts, int sequence) => rows.AsSpan(starts[sequence] * Dim, (starts[sequence + 1] - starts[sequence]) * Dim);
}
