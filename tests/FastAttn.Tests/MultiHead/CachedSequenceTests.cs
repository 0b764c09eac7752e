using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Sequences of a cache that are copied, reordered and shortened.</summary>
public static class CachedSequenceTests
{
    private const int Dim = 32;

    private static readonly MultiHeadAttention Layer = new Layer(
        new() { ModelDim = Dim, Heads = 4, KeyValueHeads = 2, Mask = AttentionMask.Causal, Rotary = new(8) }).Build();

    [Fact]
    public static void Every_order_of_four_sequences_is_what_its_sources_were()
    {
        const int Batch = 4;
        int[] lengths = [0, 3, 11, 7];
        for (int number = 0; number < 256; number++)
        {
            int[] sources = [.. Enumerable.Range(0, Batch).Select(b => number >> (2 * b) & 3)];
            KeyValueCache cache = Filled(Batch, lengths, capacity: 11);
            float[][] before = [.. Enumerable.Range(0, Batch).Select(b => Sequence(cache, b))];
            cache.Reorder(sources);
            for (int b = 0; b < Batch; b++)
                Compare.SameBits($"[{string.Join(", ", sources)}], sequence {b}", before[sources[b]], Sequence(cache, b));
        }
    }

    [Fact]
    public static void Beams_go_on_as_if_each_had_been_computed_alone()
    {
        const int Beams = 3;
        float[] prompts = Tokens.Normal(Beams * 4 * Dim), next = Tokens.Normal(Beams * Dim, 3), output = new float[prompts.Length], actual = new float[next.Length], expected = new float[next.Length];
        int[] beams = [2, 0, 2];
        KeyValueCache cache = Layer.CreateCache(Beams, 8), straight = Layer.CreateCache(Beams, 8);
        Layer.Forward(prompts, output, cache, 4);
        cache.Reorder(beams);
        Layer.Forward(next, actual, cache, 1);

        float[] reordered = [.. beams.SelectMany(b => prompts[(b * 4 * Dim)..((b + 1) * 4 * Dim)])];
        Layer.Forward(reordered, output, straight, 4);
        Layer.Forward(next, expected, straight, 1);
        Compare.SameBits("beams", expected, actual);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(0)]
    public static void Prompt_that_is_computed_once_serves_many_sequences(int capacity)
    {
        const int Batch = 3, Prompt = 5;
        float[] prompt = Tokens.Normal(Prompt * Dim), next = Tokens.Normal(Batch * Dim, 3), actual = new float[next.Length], expected = new float[next.Length];
        KeyValueCache once = Layer.CreateCache(1, Prompt), shared = Layer.CreateCache(Batch, capacity), straight = Layer.CreateCache(Batch, 8);
        Layer.Forward(prompt, new float[prompt.Length], once, Prompt);
        once.CopySequence(0, shared, 1);
        shared.CopySequence(1, 0);
        shared.CopySequence(1, 2);
        Assert.Equal([Prompt, Prompt, Prompt], shared.Lengths.ToArray());
        Layer.Forward(next, actual, shared, 1);

        Layer.Forward(Enumerable.Repeat(prompt, Batch).SelectMany(static x => x).ToArray(), new float[Batch * prompt.Length], straight, Prompt);
        Layer.Forward(next, expected, straight, 1);
        Compare.SameBits("shared prompt", expected, actual);
    }

    [Fact]
    public static void Copied_sequence_leaves_the_others_as_they_were()
    {
        KeyValueCache cache = Filled(3, [4, 9, 2], capacity: 9);
        float[] first = Sequence(cache, 0), second = Sequence(cache, 1);
        cache.CopySequence(1, 1);
        Compare.SameBits("copied to itself", second, Sequence(cache, 1));
        cache.CopySequence(1, 2);
        Compare.SameBits("neighbour", first, Sequence(cache, 0));
        Compare.SameBits("source", second, Sequence(cache, 1));
        Compare.SameBits("copy", second, Sequence(cache, 2));
    }

    [Fact]
    public static void Each_sequence_is_truncated_to_its_own_length()
    {
        KeyValueCache cache = Filled(3, [4, 9, 2], capacity: 9);
        float[] second = Sequence(cache, 1);
        cache.Truncate([5, 3, 0]);
        Assert.Equal([4, 3, 0], cache.Lengths.ToArray());

        // [heads, length, dim] of what is left.
        Assert.Equal(
            [.. Enumerable.Range(0, 2).SelectMany(head => second[(head * 9 * 50)..(head * 9 * 50 + 3 * 50)])],
            Sequence(cache, 1)[..(2 * 3 * 50)]);
    }

    [Fact]
    public static void Retained_tokens_move_together_and_the_others_are_forgotten()
    {
        KeyValueCache cache = Filled(3, [4, 9, 2], capacity: 9);
        float[][] before = [.. Enumerable.Range(0, 3).Select(b => Sequence(cache, b))];
        cache.Retain(1, 2, [3, 4, 8]);
        Assert.Equal([4, 5, 2], cache.Lengths.ToArray());
        Compare.SameBits("sequence 0", before[0], Sequence(cache, 0));
        Compare.SameBits("sequence 2", before[2], Sequence(cache, 2));

        // 2 heads of 9 keys, then of 9 values.
        Assert.Equal(
            [
                .. from head in Enumerable.Range(0, 2) from token in (int[])[0, 1, 3, 4, 8] from x in before[1].AsSpan((head * 9 + token) * 50, 50).ToArray() select x,
                .. from head in Enumerable.Range(0, 2) from token in (int[])[0, 1, 3, 4, 8] from x in before[1].AsSpan(2 * 9 * 50 + (head * 9 + token) * 3, 3).ToArray() select x,
            ],
            Sequence(cache, 1));
        cache.Retain(1, 0, []);
        Assert.Equal([4, 0, 2], cache.Lengths.ToArray());
    }

    [Fact]
    public static void Truncated_sequence_goes_on_from_there()
    {
        float[] input = Tokens.Normal(2 * 6 * Dim), first = new float[input.Length], second = new float[2 * Dim];
        KeyValueCache cache = Layer.CreateCache(2, 6);
        Layer.Forward(input, first, cache, 6);
        cache.Truncate([3, 5]);
        Layer.Forward([.. input[(3 * Dim)..(4 * Dim)], .. input[(11 * Dim)..]], second, cache, 1);
        Tokens.AreClose("sequence 0", Tokens.Exact(first[(3 * Dim)..(4 * Dim)]), second.AsSpan(0, Dim), 5e-6);
        Tokens.AreClose("sequence 1", Tokens.Exact(first[(11 * Dim)..]), second.AsSpan(Dim), 5e-6);
    }

    /// <summary>As many queries as the memory has room for: its lengths are those of the keys alone.</summary>
    [Fact]
    public static void Padded_memory_of_as_many_tokens_as_queries_gives_each_sequence_the_bits_that_it_has_alone()
    {
        const int Tokens = 20, Width = 24;
        MultiHeadAttention layer = new Layer(new() { ModelDim = Width, Heads = 2 }).Build();
        float[] queries = new float[2 * Tokens * Width], memory = new float[queries.Length], output = new float[queries.Length];
        RandomData.FillNormal(queries, new Random(1));
        RandomData.FillNormal(memory, new Random(2));
        layer.Attend(queries, layer.ProjectMemory(memory, memory, 2, Tokens, [3, Tokens]), output, Tokens);
        for (int b = 0; b < 2; b++)
        {
            int keys = b == 0 ? 3 : Tokens, start = b * Tokens * Width;
            float[] alone = new float[Tokens * Width], own = memory[start..(start + keys * Width)];
            layer.Forward(queries.AsSpan(start, alone.Length), own, own, alone, 1, Tokens, keys);
            Compare.SameBits($"sequence {b}", alone, output.AsSpan(start, alone.Length));
        }
    }

    [Fact]
    public static void Order_that_is_the_cache_s_own_lengths_is_refused()
    {
        KeyValueCache cache = Layer.CreateCache(3, 4);
        Assert.Throws<ArgumentException>("sources", () => cache.Reorder(cache.Lengths));
    }

    [Fact]
    public static void What_is_no_sequence_is_refused_and_nothing_changes()
    {
        KeyValueCache cache = Filled(3, [4, 9, 2], capacity: 9), small = new(2, 2, 50, 3, capacity: 8, canGrow: false), foreign = new(2, 2, 50, 4, capacity: 9, canGrow: true);
        Assert.Throws<ArgumentException>("sources", () => cache.Reorder([0, 1]));
        Assert.Throws<ArgumentException>("sources", () => cache.Reorder([]));
        Assert.Throws<ArgumentOutOfRangeException>("sources", () => cache.Reorder([1, 0, 3]));
        Assert.Throws<ArgumentOutOfRangeException>("sources", () => cache.Reorder([1, 0, -1]));
        Assert.Throws<ArgumentException>("lengths", () => cache.Truncate([0, 0]));
        Assert.Throws<ArgumentOutOfRangeException>("lengths", () => cache.Truncate([0, 0, -1]));
        Assert.Throws<ArgumentOutOfRangeException>("sequence", () => cache.Retain(3, 0, []));
        Assert.Throws<ArgumentOutOfRangeException>("start", () => cache.Retain(1, 10, []));
        Assert.Throws<ArgumentOutOfRangeException>("start", () => cache.Retain(1, -1, []));
        foreach (int[] tokens in (int[][])[[1, 3], [3, 3], [4, 3], [3, 9]])
            Assert.Throws<ArgumentOutOfRangeException>("tokens", () => cache.Retain(1, 2, tokens));
        Assert.Throws<ArgumentOutOfRangeException>("from", () => cache.CopySequence(3, 0));
        Assert.Throws<ArgumentOutOfRangeException>("from", () => cache.CopySequence(-1, 0));
        Assert.Throws<ArgumentOutOfRangeException>("to", () => cache.CopySequence(0, 3));
        Assert.Throws<ArgumentOutOfRangeException>("to", () => cache.CopySequence(0, small, 2));
        Assert.Throws<ArgumentException>("destination", () => cache.CopySequence(0, foreign, 0));
        Assert.Throws<ArgumentNullException>("destination", () => cache.CopySequence(0, null!, 0));
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => cache.CopySequence(1, small, 0));
        Assert.Contains("room for 8", error.Message, StringComparison.Ordinal);
        Assert.Equal([4, 9, 2], cache.Lengths.ToArray());
        Assert.Equal([0, 0], small.Lengths.ToArray());
        KeyValueCache untouched = Filled(3, [4, 9, 2], capacity: 9);
        for (int b = 0; b < 3; b++)
            Compare.SameBits($"sequence {b}", Sequence(untouched, b), Sequence(cache, b));
    }

    /// <summary>A cache of 2 heads of 50 and 3 floats, all of them different; a head's keys do not fit in one piece of a swap.</summary>
    private static KeyValueCache Filled(int batch, int[] lengths, int capacity)
    {
        KeyValueCache cache = new(batch, keyValueHeads: 2, headDim: 50, valueDim: 3, capacity, canGrow: false);
        cache.Begin(new() { Batch = batch, Lengths = lengths });
        cache.Commit();
        for (int i = 0; i < cache.Keys.Length; i++)
            cache.Keys[i] = i;
        for (int i = 0; i < cache.Values.Length; i++)
            cache.Values[i] = -i;
        return cache;
    }

    /// <summary>A sequence's keys [heads, length, dim], then its values.</summary>
    private static float[] Sequence(KeyValueCache cache, int sequence)
    {
        return [.. Rows(cache.Keys, cache.HeadDim), .. Rows(cache.Values, cache.ValueDim)];

        float[] Rows(float[] memory, int dim) =>
            [.. Enumerable.Range(sequence * cache.KeyValueHeads, cache.KeyValueHeads).SelectMany(row => memory.AsSpan(row * cache.Capacity * dim, cache.Lengths[sequence] * dim).ToArray())];
    }
}
