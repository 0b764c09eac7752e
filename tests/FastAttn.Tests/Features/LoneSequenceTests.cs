using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>
/// Sequences of 1 to 40 tokens have the same bits in a padded batch, in a ragged one, and alone, each in a call that has no lengths at all:
/// which code computes a sequence depends on the sequence, not on its batch.
/// </summary>
public static class LoneSequenceTests
{
    private const int Longest = 40, QueryHeads = 4, KeyValueHeads = 2;

    public static TheoryData<string> Kinds => ["plain", "causal", "window", "ALiBi", "causal, all"];

    /// <summary>Self-attention: lengths of the keys alone say how long sequences are; rows of padding are not looked at.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Sequence_in_padded_self_attention_equals_itself_alone(string kind) => Check(kind, SelfAttention(), static sequences => new()
    {
        KeyLengths = sequences.Select(static sequence => sequence.Keys).ToArray(),
    });

    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Sequence_with_both_lengths_equals_itself_alone(string kind)
    {
        Check(kind, SelfAttention(), BothLengths);
        Check(kind, CrossAttention(), BothLengths);

        static AttentionOptions BothLengths(Tokens[] sequences) => new()
        {
            QueryLengths = sequences.Select(static sequence => sequence.Queries).ToArray(),
            KeyLengths = sequences.Select(static sequence => sequence.Keys).ToArray(),
        };
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Sequence_of_a_ragged_batch_equals_itself_alone(string kind)
    {
        Check(kind, SelfAttention(), static _ => default, isRagged: true);
        Check(kind, CrossAttention(), static _ => default, isRagged: true);
    }

    private delegate AttentionOptions Lengths(Tokens[] sequences);

    /// <summary>One of each length, in any order.</summary>
    private static (int Queries, int Keys)[] SelfAttention()
    {
        int[] lengths = [.. Enumerable.Range(1, Longest)];
        new Random(1).Shuffle(lengths);
        return [.. lengths.Select(static length => (length, length))];
    }

    /// <summary>As many keys as queries or more, as after a cache.</summary>
    private static (int Queries, int Keys)[] CrossAttention()
    {
        var random = new Random(2);
        return [.. SelfAttention().Select(length => (length.Queries, random.Next(length.Queries, 2 * Longest + 1)))];
    }

    private static void Check(string kind, (int Queries, int Keys)[] sizes, Lengths lengths, bool isRagged = false)
    {
        foreach (int dim in Budget.IsSmall ? [45] : (int[])[45, 64])
        {
            // With a small budget every third sequence, which still meets few queries and many.
            var random = new Random(dim);
            Tokens[] sequences = [.. sizes.Where(static (_, n) => n % Budget.Of(1, 3) == 0).Select(size => new Tokens(size.Queries, size.Keys, dim, random))];
            AttentionMask mask = kind.StartsWith("causal", StringComparison.Ordinal) ? AttentionMask.Causal : AttentionMask.None;
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(ScaledDotProductAttention.GetKernel(dim, mask, AttentionFeatures.All).For))
            {
                AttentionShape shape = isRagged
                    ? new(sequences.Length, QueryHeads, KeyValueHeads, Longest, 2 * Longest)
                    : new(sequences.Length, QueryHeads, KeyValueHeads, sizes.Max(static size => size.Queries), sizes.Max(static size => size.Keys));
                AttentionLayout layout = isRagged ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim;
                int queryTokens = isRagged ? sequences.Sum(static sequence => sequence.Queries) : shape.QueryLength, keyTokens = isRagged ? sequences.Sum(static sequence => sequence.Keys) : shape.KeyLength;
                int rows = isRagged ? 1 : sequences.Length;
                float[] query = Padding(rows * queryTokens * QueryHeads * dim), key = Padding(rows * keyTokens * KeyValueHeads * dim), value = Padding(key.Length);
                float[] output = Padding(query.Length), logSumExp = Padding(rows * queryTokens * QueryHeads);

                // [T, H, D] of all tokens, or [B, H, L, D] in which the rest of each sequence is NaN.
                int[] queryStarts = Starts(sequences.Select(static sequence => sequence.Queries)), keyStarts = Starts(sequences.Select(static sequence => sequence.Keys));
                for (int b = 0; b < sequences.Length; b++)
                {
                    Tokens sequence = sequences[b];
                    Place(sequence.Query, QueryHeads, dim, sequence.Queries, query, QueryAt(b));
                    Place(sequence.Key, KeyValueHeads, dim, sequence.Keys, key, KeyAt(b));
                    Place(sequence.Value, KeyValueHeads, dim, sequence.Keys, value, KeyAt(b));
                }

                AttentionOptions options = With(kind, isRagged ? new() { QueryStarts = queryStarts, KeyStarts = keyStarts } : lengths(sequences));
                kernel.Forward(query, key, value, new AttentionOutput(output, logSumExp), shape with { Layout = layout }, options);

                for (int b = 0; b < sequences.Length; b++)
                {
                    Tokens sequence = sequences[b];
                    var shapeAlone = new AttentionShape(1, QueryHeads, KeyValueHeads, sequence.Queries, sequence.Keys);
                    float[] alone = Padding(sequence.Query.Length), aloneLogSumExp = Padding(QueryHeads * sequence.Queries);
                    kernel.Forward(sequence.Query, sequence.Key, sequence.Value, new AttentionOutput(alone, aloneLogSumExp), shapeAlone, With(kind, default));
                    string what = $"{kernel.Name}, {kind}, sequence {b} of {sequence.Queries} × {sequence.Keys} tokens";
                    for (int row = 0; row < QueryHeads * sequence.Queries; row++)
                    {
                        (int h, int i) = Math.DivRem(row, sequence.Queries);
                        Compare.SameBits($"{what}, head {h}, query {i}", alone.AsSpan(row * dim, dim), output.AsSpan(QueryAt(b)(h, i) * dim, dim));
                        int sum = isRagged ? h * queryTokens + queryStarts[b] + i : QueryAt(b)(h, i);
                        Compare.SameBits($"{what}, head {h}, LSE of query {i}", aloneLogSumExp.AsSpan(row, 1), logSumExp.AsSpan(sum, 1));
                    }
                }

                Func<int, int, int> QueryAt(int b) => isRagged ? (h, i) => (queryStarts[b] + i) * QueryHeads + h : (h, i) => (b * QueryHeads + h) * queryTokens + i;
                Func<int, int, int> KeyAt(int b) => isRagged ? (h, j) => (keyStarts[b] + j) * KeyValueHeads + h : (h, j) => (b * KeyValueHeads + h) * keyTokens + j;
            }
        }
    }

    private static AttentionOptions With(string kind, AttentionOptions lengths) => lengths with
    {
        AlibiSlopes = kind is "ALiBi" or "causal, all" ? [0.5f, 0.25f, 0.1f, 0] : default,
        Sinks = kind is "causal, all" ? [1, -1, float.NegativeInfinity, 0] : default,
        Window = kind switch { "window" => new(7, 2), "causal, all" => new(20, null), _ => null },
        Softcap = kind is "causal, all" ? 5 : null,
    };

    /// <summary>Copies [H, L, D] to the rows that are said for each head and token.</summary>
    private static void Place(float[] rows, int heads, int dim, int length, float[] buffer, Func<int, int, int> at)
    {
        for (int row = 0; row < heads * length; row++)
            rows.AsSpan(row * dim, dim).CopyTo(buffer.AsSpan(at(row / length, row % length) * dim));
    }

    private static int[] Starts(IEnumerable<int> lengths) => lengths.Aggregate((int[])[0], static (starts, length) => [.. starts, starts[^1] + length]);

    private static float[] Padding(int count)
    {
        var buffer = new float[count];
        Array.Fill(buffer, float.NaN);
        return buffer;
    }

    /// <summary>A sequence alone: [H, n_q, D], [H_kv, n_k, D] and [H_kv, n_k, D].</summary>
    private sealed class Tokens(int queries, int keys, int dim, Random random)
    {
        public int Queries => queries;

        public int Keys => keys;

        public float[] Query { get; } = Normal(QueryHeads * queries * dim, random);

        public float[] Key { get; } = Normal(KeyValueHeads * keys * dim, random);

        public float[] Value { get; } = Normal(KeyValueHeads * keys * dim, random);

        private static float[] Normal(int count, Random random)
        {
            var numbers = new float[count];
            RandomData.FillNormal(numbers, random);
            return numbers;
        }
    }
}
