using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Positions that a call gives to the rotary embedding.</summary>
public static class PositionTests
{
    private const int Dim = 32;

    /// <summary>Of the output's norm: as in <see cref="MultiHeadAttentionTests"/>.</summary>
    private const double Tolerance = 5e-6;

    /// <summary>Rows, columns and time by turns, as in Qwen2-VL.</summary>
    private static readonly int[] Axes = [0, 1, 1, 2];

    [Theory]
    [InlineData(AttentionMask.None)]
    [InlineData(AttentionMask.Causal)]
    public static void Siblings_of_a_draft_tree_give_what_each_branch_gives_alone(AttentionMask mask)
    {
        // After a prompt of 6: a root, two siblings, and a child of the second of them.
        const int Prompt = 6, Drafts = 4;
        int[] parents = [-1, 0, 0, 2], positions = [Prompt, Prompt + 1, Prompt + 1, Prompt + 2];
        MultiHeadAttention layer = new Layer(new() { ModelDim = Dim, Heads = 2, Mask = mask, Rotary = new(16) }).Build();
        float[] prompt = Tokens.Normal(Prompt * Dim), drafts = Tokens.Normal(Drafts * Dim, 3), tree = new float[drafts.Length];
        var sees = new bool[Drafts * (Prompt + Drafts)];
        for (int draft = 0; draft < Drafts; draft++)
        {
            sees.AsSpan(draft * (Prompt + Drafts), Prompt).Fill(true);
            for (int seen = draft; seen >= 0; seen = parents[seen])
                sees[draft * (Prompt + Drafts) + Prompt + seen] = true;
        }

        KeyValueCache grown = AfterPrompt();
        layer.Forward(drafts, tree, grown, Drafts, new() { BooleanMask = new(sees, new(1, 1, Drafts, Prompt + Drafts)) }, positions: positions);

        foreach (int[] branch in (int[][])[[0, 1], [0, 2, 3]])
        {
            // One token at a time: each sees those before it, with and without a causal mask.
            KeyValueCache cache = AfterPrompt();
            foreach (int draft in branch)
            {
                var alone = new float[Dim];
                Append(cache, drafts.AsSpan(draft * Dim, Dim), alone, 1);
                Tokens.AreClose($"draft {draft}", Tokens.Exact(alone), tree.AsSpan(draft * Dim, Dim), Tolerance);
            }

            if (branch.Length < 3)
                continue;

            // This branch is accepted: the next token sees it and nothing of the other.
            float[] next = Tokens.Normal(Dim, 5), expected = new float[Dim], actual = new float[Dim];
            grown.Retain(0, Prompt, [Prompt, Prompt + 2, Prompt + 3]);
            Append(cache, next, expected, 1);
            Append(grown, next, actual, 1);
            Tokens.AreClose("after the accepted branch", Tokens.Exact(expected), actual, Tolerance);
        }

        KeyValueCache AfterPrompt()
        {
            KeyValueCache cache = layer.CreateCache(1, Prompt + Drafts);
            Append(cache, prompt, new float[prompt.Length], Prompt);
            return cache;
        }

        // Without a causal mask a layer takes a cache where the call says what each token sees: here all that is there.
        void Append(KeyValueCache cache, ReadOnlySpan<float> input, Span<float> output, int length)
        {
            bool[] all = [.. Enumerable.Repeat(true, length * (cache.Lengths[0] + length))];
            layer.Forward(input, output, cache, length, mask == AttentionMask.None ? new() { BooleanMask = all } : default);
        }
    }

    [Fact]
    public static void Documents_side_by_side_give_what_each_gives_alone()
    {
        const int First = 5, Second = 7, Length = First + Second;
        MultiHeadAttention layer = new Layer(new() { ModelDim = Dim, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(16) }).Build();
        float[] input = Tokens.Normal(Length * Dim), together = new float[input.Length];
        int[] positions = [.. Enumerable.Range(0, First), .. Enumerable.Range(0, Second)];
        bool[] sees = [.. from i in Enumerable.Range(0, Length) from j in Enumerable.Range(0, Length) select i < First == j < First];
        layer.Forward(input, together, 1, Length, new() { BooleanMask = new(sees, new(1, 1, Length, Length)) }, positions);

        float[] first = new float[First * Dim], second = new float[Second * Dim];
        layer.Forward(input.AsSpan(0, first.Length), first, 1, First);
        layer.Forward(input.AsSpan(first.Length), second, 1, Second);
        Tokens.AreClose("first document", Tokens.Exact(first), together.AsSpan(0, first.Length), Tolerance);
        Tokens.AreClose("second document", Tokens.Exact(second), together.AsSpan(first.Length), Tolerance);
    }

    [Fact]
    public static void Queries_and_keys_are_turned_by_the_positions_given()
    {
        const int Batch = 2, Queries = 5, Keys = 19;
        foreach (int[]? axes in (int[]?[])[null, Axes])
        {
            Layer layer = new(new() { ModelDim = Dim, Heads = 2, Rotary = new(8, axes: axes) }, axes: axes);
            MultiHeadAttention built = layer.Build();
            int count = built.Options.Rotary!.Axes;
            var random = new Random(4);
            int[] queryPositions = Positions(Queries), keyPositions = Positions(Keys);
            float[] query = Tokens.Normal(Batch * Queries * Dim), key = Tokens.Normal(Batch * Keys * Dim, 3), output = new float[query.Length], remembered = new float[query.Length];
            double[] exact = layer.Exact(
                Tokens.Exact(query), Tokens.Exact(key), Tokens.Exact(key), Batch, Queries, Keys, queryPositions: queryPositions, keyPositions: keyPositions);
            foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(built.For))
            {
                bound.Forward(query, key, key, output, Batch, Queries, Keys, queryPositions: queryPositions, keyPositions: keyPositions);
                Tokens.AreClose($"{bound.InstructionSet}: {count} axes", exact, output, Tolerance);
                bound.Attend(query, bound.ProjectMemory(key, key, Batch, Keys, positions: keyPositions), remembered, Queries, positions: queryPositions);
                Compare.SameBits($"{bound.InstructionSet}: {count} axes, kept memory", output, remembered);
            }

            // Far ones too, which are not kept in a table.
            int[] Positions(int length) => [.. Enumerable.Range(0, count * Batch * length).Select(i => i % 7 == 0 ? 1_000_000 + random.Next(9) : random.Next(3000))];
        }
    }

    [Fact]
    public static void Cached_keys_keep_the_positions_they_were_appended_with()
    {
        const int Length = 9;
        int[] positions = [4, 2, 2, 7, 40_000, 0, 11, 5, 6];
        Layer layer = new(new() { ModelDim = Dim, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(16) }, hasNorm: true);
        MultiHeadAttention built = layer.Build();
        float[] input = Tokens.Normal(Length * Dim), output = new float[input.Length];
        KeyValueCache cache = built.CreateCache(1, Length);
        for (int i = 0, count; i < Length; i += count)
        {
            count = i == 0 ? 4 : 1;
            built.Forward(input.AsSpan(i * Dim, count * Dim), output.AsSpan(i * Dim, count * Dim), cache, count, positions: positions.AsSpan(i, count));
        }

        double[] exact = layer.Exact(
            Tokens.Exact(input), Tokens.Exact(input), Tokens.Exact(input), 1, Length, Length, queryPositions: positions, keyPositions: positions);
        Tokens.AreClose("decoded", exact, output, Tolerance);
    }

    [Fact]
    public static void Positions_that_are_the_indices_change_no_bit()
    {
        const int Batch = 2, Length = 6;
        foreach (int[]? axes in (int[]?[])[null, Axes])
        {
            MultiHeadAttention layer = new Layer(new() { ModelDim = Dim, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(8, axes: axes) }).Build();
            int[] offsets = [3, 0], zeros = [.. Enumerable.Repeat(Enumerable.Range(0, Length), layer.Options.Rotary!.Axes * Batch).SelectMany(static x => x)];
            int[] shifted = [.. Enumerable.Repeat(Enumerable.Range(3, Length).Concat(Enumerable.Range(0, Length)), layer.Options.Rotary.Axes).SelectMany(static x => x)];
            float[] input = Tokens.Normal(Batch * Length * Dim), expected = new float[input.Length], actual = new float[input.Length];
            layer.Forward(input, expected, Batch, Length);
            layer.Forward(input, actual, Batch, Length, positions: zeros);
            Compare.SameBits("self-attention", expected, actual);

            layer.Forward(input, input, input, expected, Batch, Length, Length, new() { PositionOffsets = offsets });
            layer.Forward(input, input, input, actual, Batch, Length, Length, new() { PositionOffsets = offsets }, queryPositions: shifted);
            Compare.SameBits("offsets", expected, actual);
        }
    }

    [Fact]
    public static void Offset_of_all_sequences_moves_masks_and_positions()
    {
        const int Batch = 2, Queries = 5, Keys = 19, Offset = 11;
        foreach (AttentionMask mask in Enum.GetValues<AttentionMask>())
        {
            Layer layer = new(new() { ModelDim = Dim, Heads = 2, Mask = mask, Rotary = new(16) });
            MultiHeadAttention built = layer.Build();
            float[] query = Tokens.Normal(Batch * Queries * Dim), key = Tokens.Normal(Batch * Keys * Dim, 3), output = new float[query.Length], other = new float[query.Length];
            double[] exact = layer.Exact(Tokens.Exact(query), Tokens.Exact(key), Tokens.Exact(key), Batch, Queries, Keys, offset: Offset);
            foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(built.For))
            {
                bound.Forward(query, key, key, output, Batch, Queries, Keys, new() { PositionOffset = Offset });
                Tokens.AreClose($"{bound.InstructionSet}: {mask}", exact, output, Tolerance);
                bound.Forward(query, key, key, other, Batch, Queries, Keys, new() { PositionOffsets = [Offset, Offset] });
                Compare.SameBits($"{bound.InstructionSet}: {mask}, of each sequence", output, other);
                bound.Attend(query, bound.ProjectMemory(key, key, Batch, Keys), other, Queries, new() { PositionOffset = Offset });
                Compare.SameBits($"{bound.InstructionSet}: {mask}, kept memory", output, other);

                // Without an offset query i stands at key i, whatever the number of keys.
                bound.Forward(query, key, key, output, Batch, Queries, Keys);
                bound.Forward(query, key, key, other, Batch, Queries, Keys, new() { PositionOffset = 0 });
                Compare.SameBits($"{bound.InstructionSet}: {mask}, no offset", other, output);
            }
        }
    }

    /// <summary>Windows and ALiBi of a layer go by the offset too: against the library's own attention over projections by identity matrices.</summary>
    [Fact]
    public static void Offset_of_all_sequences_moves_windows_and_biases()
    {
        const int Queries = 4, Keys = 12;
        float[] identity = new float[16 * 16], query = Tokens.Normal(Queries * 16), key = Tokens.Normal(Keys * 16, 3), expected = new float[query.Length], actual = new float[query.Length];
        for (int i = 0; i < 16; i++)
            identity[i * 16 + i] = 1;
        MultiHeadAttention layer = new(new() { ModelDim = 16, Heads = 1, Window = AttentionWindow.Sliding(3) }, new() { Query = identity, Key = identity, Value = identity, Output = identity });
        AttentionOptions options = new() { PositionOffset = 6, AlibiSlopes = [0.5f] };
        layer.Forward(query, key, key, actual, 1, Queries, Keys, options);
        ScaledDotProductAttention.Forward(query, key, key, expected, new(1, 1, 1, Queries, Keys), 16, options: options with { Window = new(2, 0) });
        Compare.SameBits("offset", expected, actual);
    }

    [Fact]
    public static void Causal_masks_go_by_indices_and_not_by_positions()
    {
        // Descending positions: were the mask theirs, the first token would see all.
        const int Length = 8;
        Layer layer = new(new() { ModelDim = Dim, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(16) });
        float[] input = Tokens.Normal(Length * Dim), output = new float[input.Length];
        int[] positions = [.. Enumerable.Range(0, Length).Reverse()];
        layer.Build().Forward(input, output, 1, Length, positions: positions);
        double[] exact = layer.Exact(
            Tokens.Exact(input), Tokens.Exact(input), Tokens.Exact(input), 1, Length, Length, queryPositions: positions, keyPositions: positions);
        Tokens.AreClose("descending", exact, output, Tolerance);
    }
}
