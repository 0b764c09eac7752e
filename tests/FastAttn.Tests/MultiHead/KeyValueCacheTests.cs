using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Incremental decoding.</summary>
public static class KeyValueCacheTests
{
    /// <summary>Of the output's norm: a tenth of what a layer may be off by.</summary>
    private const double Tolerance = 1e-5;

    private static readonly Layer Causal = new(
        new() { ModelDim = 48, Heads = 4, KeyValueHeads = 2, Mask = AttentionMask.Causal, Rotary = new(12) }, hasNorm: true);

    [Fact]
    public static void Step_by_step_decoding_equals_one_causal_pass()
    {
        const int Batch = 2;
        int length = Budget.Of(40, 14);
        MultiHeadAttention built = Causal.Build();
        float[] input = Tokens.Normal(Batch * length * 48), full = new float[input.Length];
        double[] exact = Causal.Exact(Tokens.Exact(input), Tokens.Exact(input), Tokens.Exact(input), Batch, length, length);
        foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(built.For))
        {
            bound.Forward(input, full, Batch, length);
            foreach (int prompt in (int[])[1, 5, length - 1])
            {
                KeyValueCache cache = bound.CreateCache(Batch, length, canGrow: false);
                float[] steps = new float[input.Length];
                for (int first = 0, count; first < length; first += count)
                {
                    count = first == 0 ? prompt : 1;
                    Step(bound, cache, input, steps, length, first, count);
                }

                Assert.All(cache.Lengths.ToArray(), actual => Assert.Equal(length, actual));
                Tokens.AreClose($"{bound.InstructionSet}: prompt {prompt}, exact", exact, steps, Tolerance);
                Tokens.AreClose($"{bound.InstructionSet}: prompt {prompt}, one pass", Tokens.Exact(full), steps, Tolerance);
            }
        }
    }

    [Fact]
    public static void Prompts_of_different_lengths_are_decoded_side_by_side()
    {
        const int Longest = 9, Steps = 4;
        int[] lengths = [3, 9, 0];
        MultiHeadAttention built = Causal.Build();
        float[] tokens = Tokens.Normal(3 * (Longest + Steps) * 48);
        KeyValueCache cache = built.CreateCache(3, capacity: 2);

        // A prompt is followed by padding, and then goes on where it ended.
        float[] prompt = new float[3 * Longest * 48], output = new float[prompt.Length], step = new float[3 * 48], result = new float[step.Length];
        for (int b = 0; b < 3; b++)
            Sequence(b).AsSpan(0, Longest * 48).CopyTo(prompt.AsSpan(b * Longest * 48));
        built.Forward(prompt, output, cache, Longest, new() { QueryLengths = lengths });
        for (int b = 0; b < 3; b++)
        {
            if (lengths[b] > 0)
                Tokens.AreClose($"prompt {b}", Expected(b, lengths[b], 0), output.AsSpan(b * Longest * 48, lengths[b] * 48), Tolerance);
        }

        for (int i = 0; i < Steps; i++)
        {
            for (int b = 0; b < 3; b++)
                Sequence(b).AsSpan((lengths[b] + i) * 48, 48).CopyTo(step.AsSpan(b * 48));
            built.Forward(step, result, cache, 1);
            for (int b = 0; b < 3; b++)
                Tokens.AreClose($"step {i} of {b}", Expected(b, lengths[b] + i + 1, lengths[b] + i), result.AsSpan(b * 48, 48), Tolerance);
        }

        Assert.Equal([7, 13, 4], cache.Lengths.ToArray());

        float[] Sequence(int b) => tokens.AsSpan(b * (Longest + Steps) * 48, (Longest + Steps) * 48).ToArray();
        double[] Expected(int b, int length, int from)
        {
            double[] seen = Tokens.Exact(Sequence(b)[..(length * 48)]);
            return Causal.Exact(seen, seen, seen, 1, length, length)[(from * 48)..];
        }
    }

    [Fact]
    public static void Truncated_cache_goes_on_from_there()
    {
        MultiHeadAttention built = Causal.Build();
        float[] input = Tokens.Normal(8 * 48), first = new float[input.Length], second = new float[input.Length];
        KeyValueCache cache = built.CreateCache(1, 3);
        built.Forward(input, first, cache, 8);
        cache.Truncate(5);
        built.Forward(input.AsSpan(5 * 48), second.AsSpan(5 * 48), cache, 3);
        Tokens.AreClose("after truncation", Tokens.Exact(first[(5 * 48)..]), second.AsSpan(5 * 48), Tolerance);

        cache.Clear();
        Assert.Equal([0], cache.Lengths.ToArray());
        built.Forward(input, second, cache, 8);
        Compare.SameBits("after clearing", first, second);
    }

    [Fact]
    public static void Full_cache_is_an_error_that_changes_nothing()
    {
        MultiHeadAttention built = Causal.Build();
        float[] input = Tokens.Normal(5 * 48), output = new float[input.Length];
        KeyValueCache cache = built.CreateCache(1, 6, canGrow: false);
        built.Forward(input, output, cache, 5);
        Array.Fill(output, Canary.Value);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => built.Forward(input, output, cache, 5));
        Assert.Contains("room for 6", error.Message, StringComparison.Ordinal);
        Assert.Contains("hold 10", error.Message, StringComparison.Ordinal);
        Assert.All(output, static x => Assert.True(Canary.Is(x)));
        Assert.Equal([5], cache.Lengths.ToArray());
        built.Forward(input.AsSpan(0, 48), output.AsSpan(0, 48), cache, 1);
        Assert.Equal([6], cache.Lengths.ToArray());
    }

    [Fact]
    public static void Full_cache_that_may_grow_keeps_what_it_holds()
    {
        MultiHeadAttention built = Causal.Build();
        float[] input = Tokens.Normal(2 * 20 * 48), expected = new float[input.Length], actual = new float[input.Length];
        KeyValueCache roomy = built.CreateCache(2, 20), tight = built.CreateCache(2, 0);
        for (int i = 0; i < 20; i++)
        {
            Step(built, roomy, input, expected, 20, i, 1);
            Step(built, tight, input, actual, 20, i, 1);
        }

        Compare.SameBits("grown", expected, actual);
        Assert.Equal(20, roomy.Capacity);
        Assert.InRange(tight.Capacity, 20, 40);
    }

    /// <summary>Some tokens of every sequence.</summary>
    private static void Step(MultiHeadAttention layer, KeyValueCache cache, float[] input, float[] output, int length, int first, int count)
    {
        int dim = layer.Options.ModelDim, floats = count * dim;
        float[] next = new float[cache.Batch * floats], result = new float[next.Length];
        for (int b = 0; b < cache.Batch; b++)
            input.AsSpan((b * length + first) * dim, floats).CopyTo(next.AsSpan(b * floats));
        layer.Forward(next, result, cache, count);
        for (int b = 0; b < cache.Batch; b++)
            result.AsSpan(b * floats, floats).CopyTo(output.AsSpan((b * length + first) * dim));
    }
}
