using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>
/// Where sequences stand in a batch, what short masks hide and how large numbers may be, on queries and keys of 0 or of one number, so that
/// results can be worked out by hand. The reference and the oracle have no part in it.
/// </summary>
public static class HandWorkedBatchTests
{
    // The code for few queries and the one for many, with and without a part of a vector.
    private static readonly int[] Lengths = [3, 8, 20, 33];

    private static readonly float Ln2 = (float)Math.Log(2);

    private delegate (double Output, double Weight) Row(int query, int keys);

    /// <summary>Three tokens with the values 1, 2, 3, of which two exist: the first two queries have 1 and 1.5, as the sequence alone has them.</summary>
    [Fact]
    public static void Causal_sequence_with_padding_is_as_if_alone() => CheckPadded(
        static call => call with { Mask = AttentionMask.Causal },
        static (i, keys) => (Mean(0, Math.Min(i + 1, keys)), Math.Min(i + 1, keys)));

    /// <summary>A window of one key before the query needs no causal mask to stand on the diagonal.</summary>
    [Fact]
    public static void Window_over_padding_is_as_if_alone() => CheckPadded(
        static call => call with { Window = new(1, 0) },
        static (i, keys) => (Mean(Math.Max(0, i - 1), Math.Min(i + 1, keys)), Math.Max(0, Math.Min(i + 1, keys) - Math.Max(0, i - 1))));

    /// <summary>With a slope of ln 2 the weight of key j is 2^−|i − j|.</summary>
    [Fact]
    public static void Alibi_over_padding_counts_from_the_same_token() => CheckPadded(static call => call with { AlibiSlopes = [Ln2] }, static (i, keys) =>
    {
        double[] weights = [.. Enumerable.Range(0, keys).Select(j => Math.Pow(2, -Math.Abs(i - j)))];
        return (keys == 0 ? 0 : weights.Select(static (weight, j) => weight * (j + 1)).Sum() / weights.Sum(), weights.Sum());
    });

    /// <summary>Where the queries have lengths too, rows of padding are zeros.</summary>
    [Fact]
    public static void Queries_that_do_not_exist_have_zeros()
    {
        CheckPadded(
            static call => call with { Mask = AttentionMask.Causal, QueryLengths = call.KeyLengths },
            static (i, keys) => i < keys ? (Mean(0, i + 1), i + 1) : (0, 0));

        // All queries but the first, of which the first stands at the second key.
        CheckPadded(
            static call => call with { Window = new(0, 0), QueryLengths = [Math.Max(0, call.KeyLengths![0] - 1)] },
            static (i, keys) => i < keys - 1 ? (i + 2, 1) : (0, 0));
    }

    [Fact]
    public static void Tokens_side_by_side_with_padding_are_as_if_alone()
    {
        foreach (int length in Lengths)
        {
            // A token is its query, its key and its value.
            float[] qkv = [.. Enumerable.Range(0, length).SelectMany(static i => (float[])[0, 0, i + 1])];
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(ScaledDotProductAttention.GetKernel(1, AttentionMask.Causal, AttentionFeatures.All).For))
            {
                for (int keys = 1; keys <= length; keys++)
                {
                    var output = new float[length];
                    bound.ForwardQkv(qkv, output, new(1, 1, length), new() { KeyLengths = [keys] });
                    AssertClose($"{bound.Name}: {keys} of {length}", [.. Enumerable.Range(0, length).Select(i => Mean(0, Math.Min(i + 1, keys)))], output);
                }
            }
        }
    }

    [Fact]
    public static void Longer_sequence_of_keys_than_of_queries_ends_at_the_last_key() => CheckEqualScores(
        static queries => new Case(1, 1, AttentionMask.Causal, new(1, 1, 1, queries, queries + 2)), static (i, _) => (Mean(0, i + 3), i + 3));

    [Fact]
    public static void More_queries_than_keys_leave_the_diagonal_open()
    {
        foreach (int queries in Lengths)
        {
            Case plain = new(1, 1, AttentionMask.None, new(1, 1, 1, queries, queries - 1));
            Case shorter = plain with { Shape = new(2, 1, 1, queries, queries + 1), KeyLengths = [queries, queries - 1] };
            Case both = shorter with { Shape = new(2, 1, 1, queries, queries), QueryLengths = [queries, 2], KeyLengths = [queries, 1] };
            Case ragged = plain with { Shape = new(2, 1, 1, queries, queries), QueryStarts = [0, 1, 1 + queries], KeyStarts = [0, 1, queries] };
            foreach (Case call in (Case[])[plain, shorter, both, ragged])
            {
                MustBeRefused(call with { Mask = AttentionMask.Causal });
                MustBeRefused(call with { Window = new(3, 3) });
                MustBeRefused(call with { AlibiSlopes = [1] });
                MustBeTaken(call);
                MustBeTaken(call with { Mask = AttentionMask.Causal, PositionOffset = 0 });
                MustBeTaken(call with { Mask = AttentionMask.Causal, PositionOffsets = new int[call.Shape.Batch] });
            }

            // All keys and some of the queries: which keys they stand at is for the caller to say.
            Case ambiguous = both with { Mask = AttentionMask.Causal, KeyLengths = null };
            MustBeRefused(ambiguous);
            MustBeTaken(ambiguous with { KeyLengths = [queries, 2] });
            MustBeTaken(ambiguous with { QueryLengths = [queries, queries] });

            // A sequence without queries or without keys has no diagonal.
            MustBeTaken(shorter with { Mask = AttentionMask.Causal, KeyLengths = [queries, 0] });
            MustBeTaken(ragged with { Mask = AttentionMask.Causal, QueryStarts = [0, queries, queries], KeyStarts = [0, queries, queries + 1] });
        }
    }

    /// <summary>The first query sees all keys, the others none: as in numpy, an axis of one key is repeated.</summary>
    [Fact]
    public static void Mask_of_one_key_stands_for_all_keys()
    {
        Row expected = static (i, keys) => i % 2 == 0 ? (Mean(0, keys), keys) : (0, 0);
        CheckMasks(static (i, _) => i % 2 == 0, maskKeys: 1, expected);
    }

    /// <summary>ONNX Attention-24: a mask of two keys over three hides the third.</summary>
    [Fact]
    public static void Mask_of_two_keys_hides_the_third()
    {
        CheckMasks(static (_, _) => true, maskKeys: 2, static (_, _) => (1.5, 2));
        CheckMasks(static (i, j) => j == i % 2, maskKeys: 2, static (i, _) => (i % 2 + 1, 1));
    }

    [Fact]
    public static void Mask_of_no_keys_hides_all() => CheckMasks(static (_, _) => true, maskKeys: 0, static (_, _) => (0, 0));

    /// <summary>1 / (1 + 1/e): what a float has of logits as large as 10⁴ is still exact.</summary>
    [Fact]
    public static void Keys_of_ten_thousand_and_one_more_weigh_as_1_and_e() => Check(
        static queries => Of(queries, 2), query: 1, [10000, 10001], [0, 1], 0.7310586, 10001 + Math.Log(1 + Math.Exp(-1)));

    /// <summary>The larger of two numbers below −2·10³⁸ takes all.</summary>
    [Fact]
    public static void Very_negative_masks_still_compare() => Check(
        static queries => Of(queries, 2) with { AdditiveMask = new([-3.4e38f, -2.5e38f], new(1, 1, 1, 2)) }, query: 0, [0, 0], [1, 3], 3, -2.5e38f);

    [Fact]
    public static void Scores_of_the_most_negative_float_weigh_the_same() => Check(
        static queries => Of(queries, 3) with { AdditiveMask = new([float.MinValue, float.MinValue, float.MinValue], new(1, 1, 1, 3)) }, query: 0, [0, 0, 0], [1, 2, 6], 3, float.MinValue);

    [Fact]
    public static void Largest_float_in_a_mask_takes_all() => Check(
        static queries => Of(queries, 3) with { AdditiveMask = new([0, float.MaxValue, float.MinValue], new(1, 1, 1, 3)) }, query: 0, [0, 0, 0], [1, 2, 6], 2, float.MaxValue);

    /// <summary>3·10¹⁹ times 10¹⁹ is 3·10³⁸, and log₂e times that is no float.</summary>
    [Fact]
    public static void Logits_near_the_largest_float_keep_their_order()
    {
        Check(static queries => Of(queries, 3), query: 3e19f, [1e19f, 0, -1e19f], [5, 1, 3], 5, 3e38f);
        Check(static queries => Of(queries, 3), query: 3e19f, [-1e19f, -1.1e19f, -1e19f], [5, 1, 3], 4, -3e38f);
        Check(static queries => Of(queries, 2), query: 3e19f, [1e19f, 0.9e19f], [5, 1], 5, 3e38f);
    }

    /// <summary>A key that is seen with a score of −∞ has no weight; a query that has only such has zeros.</summary>
    [Fact]
    public static void Score_of_minus_infinity_has_no_weight()
    {
        Check(static queries => Of(queries, 3), query: 1, [0, float.NegativeInfinity, 0], [1, 7, 3], 2, Math.Log(2));
        Check(static queries => Of(queries, 2), query: 1, [float.NegativeInfinity, float.NegativeInfinity], [1, 3], 0, double.NegativeInfinity);
    }

    /// <summary>What a state over no keys holds as its output is not read: FlashAttention marks one with +∞ and leaves the output as it was.</summary>
    [Fact]
    public static void State_of_no_keys_may_hold_anything()
    {
        foreach (float empty in (float[])[float.NegativeInfinity, float.PositiveInfinity])
        {
            foreach (float other in (float[])[float.NegativeInfinity, float.PositiveInfinity])
            {
                // Two empty ones; one before, and one after, a state of weight e².
                float[] output = [float.NaN, float.NaN, float.NaN, 7, 5, 6], logSumExp = [empty, empty, 2];
                new AttentionOutput(output, logSumExp).Merge(new AttentionOutput([float.NaN, 1, 3, 4, float.NaN, float.NaN], [other, 2, other]), new(1, 1, 3), 2);
                Assert.Equal([0, 0, 3, 4, 5, 6], output);
                Assert.Equal([float.NegativeInfinity, 2, 2], logSumExp);
            }
        }
    }

    /// <summary>Values 1, 2, 3, … of which the keys from <paramref name="start"/> to before <paramref name="end"/> count; 0 if there are none.</summary>
    private static double Mean(int start, int end) => start >= end ? 0 : (start + end + 1) / 2.0;

    private static Case Of(int queries, int keys) => new(1, 1, AttentionMask.None, new(1, 1, 1, queries, keys)) { Scale = 1 };

    /// <summary>Self-attention of equal scores and values 1, 2, 3, …, of which each number of keys exists; rows of padding are computed as well.</summary>
    private static void CheckPadded(Func<Case, Case> with, Row expected)
    {
        foreach (int length in Lengths)
        {
            for (int keys = 0; keys <= length; keys++)
            {
                Case call = with(Of(length, length) with { KeyLengths = [keys] });
                (double Output, double Weight)[] rows = [.. Enumerable.Range(0, length).Select(i => expected(i, keys))];
                Check(call, [.. Enumerable.Repeat(0f, length)], [.. Enumerable.Repeat(0f, length)], Counted(length), [.. rows.Select(static row => row.Output)], [.. rows.Select(static row => Math.Log(row.Weight))]);
            }
        }
    }

    private static void CheckEqualScores(Func<int, Case> draw, Row expected)
    {
        foreach (int queries in Lengths)
        {
            Case call = draw(queries);
            int keys = call.Shape.KeyLength;
            (double Output, double Weight)[] rows = [.. Enumerable.Range(0, queries).Select(i => expected(i, keys))];
            Check(call, new float[queries], new float[keys], Counted(keys), [.. rows.Select(static row => row.Output)], [.. rows.Select(static row => Math.Log(row.Weight))]);
        }
    }

    /// <summary>A mask with a row for each query over three keys of equal scores and the values 1, 2, 3, in all its forms.</summary>
    private static void CheckMasks(Func<int, int, bool> attends, int maskKeys, Row expected)
    {
        bool[] Mask(int queries) => Masks.Of(1, queries, maskKeys, (_, i, j) => attends(i, j));
        CheckEqualScores(queries => Of(queries, 3) with { BooleanMask = new(Mask(queries), new(1, 1, queries, maskKeys)) }, expected);
        CheckEqualScores(queries => Of(queries, 3) with { AdditiveMask = new(Masks.Additive(Mask(queries)), new(1, 1, queries, maskKeys)) }, expected);
        CheckEqualScores(queries => Of(queries, 3) with { BitMask = new(Masks.Bits(Mask(queries), maskKeys), new(1, 1, queries, maskKeys)) }, expected);
    }

    /// <summary>The same query any number of times, with the same result each.</summary>
    private static void Check(Func<int, Case> draw, float query, float[] keys, float[] values, double output, double logSumExp)
    {
        foreach (int queries in (int[])[1, .. Lengths])
            Check(draw(queries), [.. Enumerable.Repeat(query, queries)], keys, values, [.. Enumerable.Repeat(output, queries)], [.. Enumerable.Repeat(logSumExp, queries)]);
    }

    private static void Check(Case call, float[] query, float[] key, float[] value, double[] output, double[] logSumExp)
    {
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
        {
            foreach (int? keyBlock in (int?[])[null, 1, 2])
            {
                Case blocked = call with { KeyBlock = keyBlock };
                Outputs<float> actual = blocked.Run(bound, new(query, key, value));
                AssertClose($"{bound.Name}: {blocked}", output, actual.Output);
                AssertClose($"{bound.Name}: {blocked}, LSE", logSumExp, actual.LogSumExp);
            }
        }
    }

    private static void MustBeRefused(Case call)
    {
        foreach (Action run in Calls(call with { LeavesOffsetsOut = true }))
        {
            Exception? exception = Record.Exception(run);
            Assert.True(exception is ArgumentException && exception.Message.Contains("PositionOffset", StringComparison.Ordinal), $"{call}: {exception?.ToString() ?? "no exception"}");
        }
    }

    private static void MustBeTaken(Case call)
    {
        foreach (Action run in Calls(call))
            Assert.True(Record.Exception(run) is var exception && exception is null, $"{call}: {exception}");
    }

    private static Action[] Calls(Case call)
    {
        Inputs inputs = Inputs.Zero(call);
        return [.. InstructionSets.Supported.Select(set => (Action)(() => call.Run(call.Kernel.For(set), inputs))), () => call.Reference(inputs)];
    }

    private static float[] Counted(int count) => [.. Enumerable.Range(1, count).Select(static number => (float)number)];

    /// <summary>
    /// Within 2⁻²¹, relative to the number, or absolute for a logarithm below 1: eight roundings, of which the exponentials and their sums,
    /// the quotient and the change of the logarithm's base make a few each.
    /// </summary>
    private static void AssertClose(string what, double[] expected, float[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (!expected[i].Equals(actual[i]) && !(Math.Abs(expected[i] - actual[i]) <= 1.0 / (1 << 21) * Math.Max(1, Math.Abs(expected[i]))))
                Assert.Fail($"{what}: query {i} has {actual[i]:R}, by hand {expected[i]:R}.");
        }
    }
}
