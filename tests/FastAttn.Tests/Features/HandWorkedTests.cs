using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>
/// Each feature on keys whose weights e^S are 1, 2 and 4, so that results can be worked out by hand:
/// <c>O = Σ w·v / (Σ w + sink)</c> and <c>LSE = ln(Σ w + sink)</c> with v = 1, 10, 100. The reference has no part in it.
/// </summary>
public static class HandWorkedTests
{
    private static readonly double[] Weights = [1, 2, 4];
    private static readonly float[] Values = [1, 10, 100];
    private static readonly float[] Logits = [0, Log(2), Log(4)];

    // Few queries and many go through different code, as do whole vectors and parts.
    private static readonly int[] QueryLengths = [1, 2, 3, 8, 20];

    [Fact]
    public static void No_feature_weighs_all_keys() => Check(static call => call, static (_, j) => Weights[j]);

    [Fact]
    public static void Key_lengths_hide_the_rest() => Check(static call => call with { KeyLengths = [2] }, static (_, j) => j < 2 ? Weights[j] : 0);

    [Fact]
    public static void Key_length_of_0_leaves_nothing() => Check(static call => call with { KeyLengths = [0] }, static (_, _) => 0);

    /// <summary>The last query sees the last key that exists; in self-attention each query sees the key of its own token.</summary>
    [Fact]
    public static void Position_offset_follows_from_the_key_length()
    {
        foreach (int length in (int[])[0, 1, 2, 3])
        {
            Check(
                call => call with { Mask = AttentionMask.Causal, KeyLengths = [length] },
                (i, j, queries) => j < length && j <= i + (queries == 3 ? 0 : length - queries) ? Weights[j] : 0);
        }
    }

    [Fact]
    public static void Window_shows_the_keys_around_the_query()
    {
        foreach ((int? left, int? right, int offset) in ((int?, int?, int)[])[(1, 0, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1), (1, 1, -1), (null, 0, 0), (0, null, 0), (2, 2, 0), (100, 100, 0)])
        {
            Check(
                call => call with { PositionOffset = offset, Window = new(left, right) },
                (i, j) => i + offset - j <= (left ?? 1000) && j - i - offset <= (right ?? 1000) ? Weights[j] : 0);
        }
    }

    [Fact]
    public static void Causal_mask_bounds_a_window() => Check(
        static call => call with { Mask = AttentionMask.Causal, PositionOffset = 0, Window = new(1, 5) },
        static (i, j) => j == i || j == i - 1 ? Weights[j] : 0);

    /// <summary>Key 0 three times as heavy, key 1 hidden.</summary>
    [Fact]
    public static void Additive_mask_is_added_to_the_logits() => Check(
        static call => call with { AdditiveMask = new([Log(3), float.NegativeInfinity, 0], new(1, 1, 1, 3)) },
        static (_, j) => j switch { 0 => 3, 1 => 0, _ => 4 });

    [Fact]
    public static void Mask_that_is_shorter_than_the_keys_hides_the_rest()
    {
        Check(static call => call with { AdditiveMask = new([Log(3), 0], new(1, 1, 1, 2)) }, static (_, j) => j switch { 0 => 3, 1 => 2, _ => 0 });
        Check(static call => call with { BooleanMask = new([true, true], new(1, 1, 1, 2)) }, static (_, j) => j < 2 ? Weights[j] : 0);
        Check(static call => call with { BitMask = new([0xFF], new(1, 1, 1, 2)) }, static (_, j) => j < 2 ? Weights[j] : 0);
        Check(static call => call with { BooleanMask = new([], new(1, 1, 1, 0)) }, static (_, _) => 0);
    }

    [Fact]
    public static void Boolean_mask_of_each_query_hides_where_it_is_false() => Check(
        static call => call with
        {
            BooleanMask = new(Masks.Of(1, call.Shape.QueryLength, 3, static (_, i, j) => (i + j) % 2 == 0), new(1, 1, call.Shape.QueryLength, 3)),
        },
        static (i, j) => (i + j) % 2 == 0 ? Weights[j] : 0);

    /// <summary>As a contiguous mask of the whole shape.</summary>
    [Fact]
    public static void Masks_without_strides_have_a_row_for_each_query()
    {
        Check(static call => call with { AdditiveMask = Array.ConvertAll(Masks.Of(1, call.Shape.QueryLength, 3, static (_, i, j) => i % 3 == j), static triples => triples ? Log(3) : 0) }, static (i, j) => i % 3 == j ? 3 * Weights[j] : Weights[j]);
        Check(static call => call with { BooleanMask = Masks.Of(1, call.Shape.QueryLength, 3, static (_, i, j) => i % 3 != j) }, static (i, j) => i % 3 != j ? Weights[j] : 0);
        Check(static call => call with { BitMask = new([.. Enumerable.Range(0, call.Shape.QueryLength).Select(static i => (byte)~(1 << (i % 3)))]) }, static (i, j) => i % 3 != j ? Weights[j] : 0);
    }

    /// <summary>Key j is bit j of the first byte.</summary>
    [Fact]
    public static void Bit_mask_hides_where_a_bit_is_0() => Check(
        static call => call with
        {
            BitMask = new([.. Enumerable.Range(0, call.Shape.QueryLength).Select(static i => (byte)(i % 2 == 0 ? 0b101 : 0b110))], new(1, 1, call.Shape.QueryLength, 3)),
        },
        static (i, j) => j == 2 || j == i % 2 ? Weights[j] : 0);

    [Fact]
    public static void Alibi_of_ln2_halves_the_weight_with_each_step_away()
    {
        foreach (int offset in (int[])[0, 2, -1])
        {
            Check(
                call => call with { PositionOffset = offset, AlibiSlopes = [Log(2)] },
                (i, j) => Weights[j] * Math.Pow(2, -Math.Abs(i + offset - j)));
        }
    }

    [Fact]
    public static void Alibi_counts_from_the_last_query_at_the_last_key() => Check(
        static call => call with { AlibiSlopes = [Log(2)] },
        static (i, j, queries) => Weights[j] * Math.Pow(2, -Math.Abs(i + 3 - queries - j)));

    /// <summary>c·tanh(c·atanh(ln w / c) / c) is ln w.</summary>
    [Fact]
    public static void Softcap_is_a_hyperbolic_tangent()
    {
        foreach (double cap in (double[])[1.5, 2, 20])
            Check(call => call with { Softcap = (float)cap }, static (_, j) => Weights[j], Uncapped(cap));
    }

    [Fact]
    public static void Logits_are_scaled_before_they_are_capped() => Check(
        static call => call with { Scale = 0.25f, Softcap = 2 },
        static (_, j) => Weights[j],
        [.. Uncapped(2).Select(static logit => 4 * logit)]);

    [Fact]
    public static void Logits_are_capped_before_anything_is_added() => Check(
        static call => call with
        {
            PositionOffset = 0,
            Softcap = 2,
            AlibiSlopes = [Log(2)],
            AdditiveMask = new([Log(3), 0, Log(5)], new(1, 1, 1, 3)),
        },
        static (i, j) => Weights[j] * (j switch { 0 => 3, 1 => 1, _ => 5 }) * Math.Pow(2, -Math.Abs(i - j)),
        Uncapped(2));

    [Fact]
    public static void Sink_takes_its_weight_and_gives_no_value() => Check(static call => call with { Sinks = [Log(3)] }, static (_, j) => Weights[j], sink: 3);

    [Fact]
    public static void Sink_of_minus_infinity_is_none() => Check(static call => call with { Sinks = [float.NegativeInfinity] }, static (_, j) => Weights[j]);

    [Fact]
    public static void Query_without_keys_has_its_sink_alone() => Check(static call => call with { Sinks = [Log(3)], KeyLengths = [0] }, static (_, _) => 0, sink: 3);

    [Fact]
    public static void Sink_is_not_masked_capped_or_biased() => Check(
        static call => call with
        {
            PositionOffset = 0,
            Sinks = [Log(3)],
            Softcap = 2,
            AlibiSlopes = [Log(2)],
            BooleanMask = new([false, true, true], new(1, 1, 1, 3)),
        },
        static (i, j) => j == 0 ? 0 : Weights[j] * Math.Pow(2, -Math.Abs(i - j)),
        Uncapped(2),
        sink: 3);

    [Fact]
    public static void Slope_and_sink_belong_to_the_query_head()
    {
        var call = new Case(1, 1, AttentionMask.None, new(1, 4, 2, 1, 1))
        {
            Scale = 1,
            PositionOffset = 2,
            AlibiSlopes = [0, Log(2), Log(3), 0],
            Sinks = [Log(1), Log(3), float.NegativeInfinity, Log(9)],
        };

        // Key heads have the weights 1 and 4 and stand two steps away: 1, 1/4; 4/9, 4.
        (double Output, double Sum)[] expected = [(1.0 / 2, 2), (0.25 / 3.25, 3.25), (10, 4.0 / 9), (40.0 / 13, 13)];
        Check(call, new([1, 1, 1, 1], [0, Log(4)], [1, 10]), expected);
    }

    /// <summary>log₂(e) times such a sink is more than a float holds.</summary>
    [Fact]
    public static void Largest_sink_leaves_nothing() => Check(
        new Case(1, 1, AttentionMask.None, new(1, 1, 1, 1, 3)) { Scale = 1, Sinks = [float.MaxValue] }, new([1], Logits, Values), [(0, double.PositiveInfinity)], checkLogSumExp: false);

    [Fact]
    public static void Position_offsets_belong_to_the_sequence()
    {
        var call = new Case(1, 1, AttentionMask.Causal, new(3, 1, 1, 2, 3)) { Scale = 1, PositionOffsets = [0, 1, -1] };
        (double Output, double Sum)[] expected = [(1, 1), (21.0 / 3, 3), (21.0 / 3, 3), (421.0 / 7, 7), (0, 0), (1, 1)];
        Check(call, new([1, 1, 1, 1, 1, 1], [.. Logits, .. Logits, .. Logits], [.. Values, .. Values, .. Values]), expected);
    }

    /// <summary>Sequences of 2, 0 and 1 queries over 1, 1 and 2 keys; the second's key belongs to no query.</summary>
    [Fact]
    public static void Ragged_sequences_see_their_own_keys()
    {
        var call = new Case(1, 1, AttentionMask.None, new(3, 1, 1, 2, 2)) { Scale = 1, QueryStarts = [0, 2, 2, 3], KeyStarts = [0, 1, 2, 4] };
        (double Output, double Sum)[] expected = [(1, 1), (1, 1), (21.0 / 3, 3)];
        Check(call, new([1, 1, 1], [0, 7, 0, Log(2)], [1, float.NaN, 1, 10]), expected);

        // Causal: the last query of each sees its last key.
        Case causal = call with { Mask = AttentionMask.Causal };
        Check(causal, new([1, 1, 1], [0, 7, 0, Log(2)], [1, float.NaN, 1, 10]), [(0, 0), (1, 1), (21.0 / 3, 3)]);
    }

    /// <summary>The shape's lengths are bounds: looser ones cost nothing.</summary>
    [Fact]
    public static void Ragged_sequences_may_be_far_shorter_than_the_shape_says()
    {
        float[] output = new float[3];
        ScaledDotProductAttention.Forward(
            (float[])[1, 1, 1], (float[])[0, 7, 0, Log(2)], (float[])[1, 5, 1, 10], output, new(3, 1, 1, int.MaxValue, int.MaxValue), headDim: 1,
            options: new() { Scale = 1, QueryStarts = [0, 2, 2, 3], KeyStarts = [0, 1, 2, 4] });
        AssertClose("ragged", [1, 1, 21.0 / 3], output);
    }

    /// <summary>A state of weight 1 and one of weight 3.</summary>
    [Fact]
    public static void Merged_states_weigh_as_their_sums()
    {
        float[] output = [1, 0, -2], logSumExp = [0];
        new AttentionOutput(output, logSumExp).Merge(new AttentionOutput([10, 4, 2], [Log(3)]), new(1, 1, 1), 3);
        AssertClose("merged", [31.0 / 4, 3, 1], output);
        AssertClose("merged LSE", [Math.Log(4)], logSumExp);
    }

    [Fact]
    public static void State_without_keys_changes_nothing_whichever_side_it_is()
    {
        float[] output = [1, 5, 0, 0, 0, 0], logSumExp = [2, float.NegativeInfinity, float.NegativeInfinity];
        new AttentionOutput(output, logSumExp).Merge(new AttentionOutput([0, 0, 3, -7, 0, 0], [float.NegativeInfinity, 4, float.NegativeInfinity]), new(1, 1, 3), 2);
        Assert.Equal([1, 5, 3, -7, 0, 0], output);
        Assert.Equal([2, 4, float.NegativeInfinity], logSumExp);
    }

    /// <summary>Models mask with the most negative float; it hides a key behind any other, but is no −∞ where all have it.</summary>
    [Fact]
    public static void Most_negative_float_in_a_mask_leaves_a_row_of_equal_weights() => Check(
        static call => call with { AdditiveMask = new([float.MinValue, float.MinValue, float.MinValue], new(1, 1, 1, 3)) },
        static (_, _) => 1,
        checkLogSumExp: false);

    [Fact]
    public static void Most_negative_float_in_a_mask_hides_a_key_behind_others() => Check(
        static call => call with { AdditiveMask = new([0, float.MinValue, 0], new(1, 1, 1, 3)) },
        static (_, j) => j == 1 ? 0 : Weights[j]);

    private static float Log(double weight) => (float)Math.Log(weight);

    private static float[] Uncapped(double cap) => [.. Weights.Select(weight => (float)(cap * Math.Atanh(Math.Log(weight) / cap)))];

    private static void Check(Func<Case, Case> with, Func<int, int, double> weight, float[]? logits = null, double sink = 0, bool checkLogSumExp = true) =>
        Check(with, (i, j, _) => weight(i, j), logits, sink, checkLogSumExp);

    /// <summary>One head of dimension 1, whose queries are 1 and whose keys are the logits.</summary>
    private static void Check(Func<Case, Case> with, Func<int, int, int, double> weight, float[]? logits = null, double sink = 0, bool checkLogSumExp = true)
    {
        foreach (int queries in QueryLengths)
        {
            Case call = with(new Case(1, 1, AttentionMask.None, new(1, 1, 1, queries, 3)) { Scale = 1 });
            var expected = new (double Output, double Sum)[queries];
            for (int i = 0; i < queries; i++)
            {
                double sum = sink, output = 0;
                for (int j = 0; j < 3; j++)
                {
                    sum += weight(i, j, queries);
                    output += weight(i, j, queries) * Values[j];
                }

                expected[i] = (sum == 0 ? 0 : output / sum, sum);
            }

            Check(call, new([.. Enumerable.Repeat(1f, queries)], logits ?? Logits, Values), expected, checkLogSumExp);
        }
    }

    private static void Check(Case call, Inputs inputs, (double Output, double Sum)[] expected, bool checkLogSumExp = true)
    {
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
        {
            foreach (int? keyBlock in (int?[])[1, 2, null])
            {
                Case blocked = call with { KeyBlock = keyBlock };
                Outputs<float> actual = blocked.Run(bound, inputs);
                string what = $"{bound.Name}: {blocked}";
                AssertClose(what, [.. expected.Select(static row => row.Output)], actual.Output);
                if (checkLogSumExp)
                    AssertClose($"{what}, LSE", [.. expected.Select(static row => Math.Log(row.Sum))], actual.LogSumExp);
            }
        }
    }

    /// <summary>
    /// Logits reach 20 in units of log₂, by ALiBi, where half an ulp is 2⁻²⁰; that much and as much again for the roundings of
    /// slope, exponential, sums and quotient, relative to the number, or to 1 for a logarithm.
    /// </summary>
    private static void AssertClose(string what, double[] expected, float[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (!expected[i].Equals(actual[i]) && !(Math.Abs(expected[i] - actual[i]) <= 2.0 / (1 << 20) * Math.Max(1, Math.Abs(expected[i]))))
                Assert.Fail($"{what}: query {i} has {actual[i]:R}, by hand {expected[i]:R}.");
        }
    }
}
