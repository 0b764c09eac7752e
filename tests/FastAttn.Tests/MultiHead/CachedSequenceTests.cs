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

    [Theory]
    [InlineData(AttentionElement.Float32, 50)]
    [InlineData(AttentionElement.Float32, 288)]
    [InlineData(AttentionElement.BFloat16, 50)]
    [InlineData(AttentionElement.Int8, 50)]
    [InlineData(AttentionElement.Int4Group32, 64)]
    public static void Every_order_of_four_sequences_is_what_its_sources_were(AttentionElement element, int headDim)
    {
        const int Batch = 4;
        int[] lengths = [0, 3, 11, 7];
        for (int number = 0; number < 256; number++)
        {
            int[] sources = [.. Enumerable.Range(0, Batch).Select(b => number >> (2 * b) & 3)];
            KeyValueCache cache = Filled(Batch, lengths, capacity: 11, headDim, element);
            float[][] before = [.. Enumerable.Range(0, Batch).Select(b => Sequence(cache, b))];
            cache.Reorder(sources);
            for (int b = 0; b < Batch; b++)
                Compare.SameBits($"[{string.Join(", ", sources)}], sequence {b}", before[sources[b]], Sequence(cache, b));
        }
    }

    /// <summary>Each step rounds the open groups of 24 sequences of different lengths anew, from 10 to 43 tokens: enough for several threads.</summary>
    [Fact]
    public static void Sequences_that_are_rounded_anew_by_many_threads_are_those_of_one()
    {
        const int Batch = 24, Heads = 4, ModelDim = 256;
        MultiHeadAttention layer = new Layer(new() { ModelDim = ModelDim, Heads = Heads, Mask = AttentionMask.Causal }).Build();
        int[] lengths = [.. Enumerable.Range(0, Batch).Select(static b => 10 + b)];
        float[] prompts = Tokens.Normal(Batch * 33 * ModelDim), output = new float[prompts.Length];
        KeyValueCache[] caches = [.. Enumerable.Range(0, 2).Select(_ => layer.CreateCache(Batch, 64, keyElement: AttentionElement.Int4, valueElement: AttentionElement.Int4))];
        foreach (KeyValueCache cache in caches)
        {
            AttentionExecution execution = new() { MaxDegreeOfParallelism = cache == caches[0] ? 1 : 0 };
            layer.Forward(prompts, output, cache, 33, new() { QueryLengths = lengths }, execution: execution);
            for (int step = 0; step < 10; step++)
                layer.Forward(prompts.AsSpan(step * Batch * ModelDim, Batch * ModelDim), output.AsSpan(0, Batch * ModelDim), cache, 1, execution: execution);
        }

        for (int b = 0; b < Batch; b++)
            Compare.SameBits($"sequence {b}", Sequence(caches[0], b), Sequence(caches[1], b));
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

    [Theory]
    [InlineData(AttentionElement.Float32, 50)]
    [InlineData(AttentionElement.Float16, 50)]
    [InlineData(AttentionElement.Int8, 50)]
    [InlineData(AttentionElement.Int8Group32, 64)]
    public static void Copied_sequence_leaves_the_others_as_they_were(AttentionElement element, int headDim)
    {
        KeyValueCache cache = Filled(3, [4, 9, 2], capacity: 9, headDim, element);
        float[] first = Sequence(cache, 0), second = Sequence(cache, 1);
        cache.CopySequence(1, 1);
        Compare.SameBits("copied to itself", second, Sequence(cache, 1));
        cache.CopySequence(1, 2);
        Compare.SameBits("neighbour", first, Sequence(cache, 0));
        Compare.SameBits("source", second, Sequence(cache, 1));
        Compare.SameBits("copy", second, Sequence(cache, 2));

        // To a cache that grows for it, and keeps what it has.
        KeyValueCache other = Filled(2, [5, 6], capacity: 6, headDim, element, canGrow: true);
        float[] kept = Sequence(other, 0);
        cache.CopySequence(1, other, 1);
        Assert.True(other.Capacity >= 9);
        Compare.SameBits("kept", kept, Sequence(other, 0));
        Compare.SameBits("copied to another cache", second, Sequence(other, 1));
        other.Retain(1, 0, [2, 8]);
        float[] keys = new float[2 * 2 * headDim], values = new float[2 * 2 * 3], expectedKeys = new float[2 * headDim], expectedValues = new float[2 * 3];
        other.CopyTo(1, 0, 2, keys, values);
        cache.CopyTo(1, 8, 1, expectedKeys, expectedValues);
        Compare.SameBits("retained key", expectedKeys, keys.AsSpan(2 * headDim));
        Compare.SameBits("retained value", expectedValues, values.AsSpan(2 * 3));
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
        KeyValueCache cache = Filled(3, [4, 9, 2], capacity: 9), small = new(2, 8, 2, 50, 3, canGrow: false), foreign = new(2, 9, 2, 50, 4);
        KeyValueCache halves = new(2, 9, 2, 50, 3, keyElement: AttentionElement.Float16);
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
        Assert.Throws<ArgumentException>("destination", () => cache.CopySequence(0, halves, 0));
        Assert.Throws<ArgumentOutOfRangeException>("sequence", () => cache.CopyTo(3, 0, 0, [], []));
        Assert.Throws<ArgumentOutOfRangeException>("start", () => cache.CopyTo(0, 5, 0, [], []));
        Assert.Throws<ArgumentOutOfRangeException>("tokens", () => cache.CopyTo(0, 3, 2, new float[200], new float[12]));
        Assert.Throws<ArgumentException>("keys", () => cache.CopyTo(0, 3, 1, new float[99], new float[6]));
        Assert.Throws<ArgumentException>("values", () => cache.CopyTo(0, 3, 1, new float[100], new float[5]));
        float[] shared = new float[100];
        Assert.Throws<ArgumentException>("values", () => cache.CopyTo(0, 3, 1, shared, shared.AsSpan(94)));
        Assert.Throws<ArgumentNullException>("destination", () => cache.CopySequence(0, null!, 0));
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => cache.CopySequence(1, small, 0));
        Assert.Contains("room for 8", error.Message, StringComparison.Ordinal);
        Assert.Equal([4, 9, 2], cache.Lengths.ToArray());
        Assert.Equal([0, 0], small.Lengths.ToArray());
        KeyValueCache untouched = Filled(3, [4, 9, 2], capacity: 9);
        for (int b = 0; b < 3; b++)
            Compare.SameBits($"sequence {b}", Sequence(untouched, b), Sequence(cache, b));
    }

    /// <summary>A cache of 2 heads, whose keys have a dimension and whose values have 3 floats, all of them different.</summary>
    private static KeyValueCache Filled(int batch, int[] lengths, int capacity, int headDim = 50, AttentionElement keyElement = AttentionElement.Float32, bool canGrow = false)
    {
        KeyValueCache cache = new(batch, capacity, keyValueHeads: 2, headDim, valueDim: 3, canGrow, keyElement, AttentionElement.Float32);
        int longest = lengths.Max();
        float[] keys = [.. Enumerable.Range(0, batch * longest * 2 * headDim).Select(static i => (float)i)], values = [.. Enumerable.Range(0, batch * longest * 2 * 3).Select(static i => -(float)i)];
        cache.Append(keys, values, longest, lengths);
        return cache;
    }

    /// <summary>A sequence's keys [heads, length, dim], then its values.</summary>
    private static float[] Sequence(KeyValueCache cache, int sequence)
    {
        int length = cache.Lengths[sequence], heads = cache.KeyValueHeads;
        float[] keys = new float[length * heads * cache.HeadDim], values = new float[length * heads * cache.ValueDim];
        cache.CopyTo(sequence, 0, length, keys, values);
        return [.. ByHead(keys, cache.HeadDim), .. ByHead(values, cache.ValueDim)];

        float[] ByHead(float[] rows, int dim) =>
            [.. from head in Enumerable.Range(0, heads) from token in Enumerable.Range(0, length) from x in rows.AsSpan((token * heads + head) * dim, dim).ToArray() select x];
    }
}
