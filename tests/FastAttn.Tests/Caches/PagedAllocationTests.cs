using System;

using FastAttn.Tests.Fixtures;

using Xunit;

using static FastAttn.Tests.Caches.PagedTokens;

namespace FastAttn.Tests.Caches;

/// <summary>Once warm, nothing is allocated on the managed heap.</summary>
[Collection(AloneCollection.Name)]
public static class PagedAllocationTests
{
    [Theory]
    [InlineData(PagedFormat.Float32)]
    [InlineData(PagedFormat.Float16)]
    [InlineData(PagedFormat.BFloat16)]
    [InlineData(PagedFormat.Int8PerToken)]
    [InlineData(PagedFormat.Int8PerChannel)]
    [InlineData(PagedFormat.Int8Groups)]
    [InlineData(PagedFormat.Int4Groups)]
    [InlineData(PagedFormat.Int4PerChannel)]
    public static void Changing_a_sequence_allocates_nothing(PagedFormat format)
    {
        using KeyValuePagePool pool = format.IsInteger ? IntegerPool(20, format, format) : Pool(20, format.Element, format.Element);
        using PagedSequence sequence = new(pool), other = new(pool);
        var rotary = new RotaryEmbedding(4);
        float[] keys = format.IsInteger ? Bits(BitsOfKey, Range(0, 50)) : Keys(Range(0, 50)), values = format.IsInteger ? Bits(BitsOfValue, Range(0, 50)) : Values(Range(0, 50));
        Allocations.AreNone("append, truncate, evict, copy, clear", () =>
        {
            sequence.Append(keys, values, 50, rotary);
            sequence.Append(keys, values, 1);
            sequence.Truncate(40);
            sequence.EvictBefore(16);
            sequence.EvictBetween(16, 32);
            sequence.CopyTo(20, 4, keys, values);
            sequence.Clear();
        });

        // A window that moves on and on.
        Allocations.AreNone("a window", () =>
        {
            other.Append(keys, values, 20);
            other.EvictBefore(other.Length - 10);
        });
    }

    [Fact]
    public static void Attention_and_reordering_allocate_nothing()
    {
        using KeyValuePagePool pool = Pool(20);
        using PagedSequence one = new(pool), other = new(pool);
        var batch = new PagedBatch(pool);
        batch.Add(one);
        batch.Add(other);
        Append(one, Range(0, 30));
        Append(other, Range(0, 60));
        float[] query = new float[2 * Heads * 20 * HeadDim], output = new float[2 * Heads * 20 * ValueDim], keys = Keys(1), values = Values(1);
        int[] sources = [1, 1], starts = [0, 2, 20];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(HeadDim, AttentionMask.Causal, AttentionFeatures.Lengths | AttentionFeatures.Ragged, ValueDim);
        Allocations.AreNone("reorder, then copy a page", () =>
        {
            batch.Reorder(sources);
            one.Append(keys, values, 1);
        });
        Allocations.AreNone("some queries", () => batch.Attend(query, output, Heads, 20));
        Allocations.AreNone("one query", () => batch.Attend(query, output, Heads, 1, options: new() { Window = AttentionWindow.Sliding(5) }));
        Allocations.AreNone("a kernel, ragged", () => batch.Attend(kernel, query, output, Heads, 18, new() { QueryStarts = starts }));
    }

    [Fact]
    public static void Tokens_that_are_rounded_together_allocate_nothing()
    {
        using KeyValuePagePool pool = IntegerPool(20, PagedFormat.Int4PerChannel, PagedFormat.Int4PerChannel);
        using PagedSequence one = new(pool), other = new(pool);
        var batch = new PagedBatch(pool);
        batch.Add(one);
        batch.Add(other);
        KeyValueCache cache = new(2, 200, Heads, BitsOfKey, BitsOfValue, canGrow: false, AttentionElement.Int4, AttentionElement.Int4);
        float[] keys = Bits(BitsOfKey, Range(0, 80)), values = Bits(BitsOfValue, Range(0, 80));
        int[] sources = [1, 0], kept = [50, 37, 39, 60];
        Allocations.AreNone("pages", () =>
        {
            one.Append(keys, values, 40);
            other.Append(keys, values, 33);
            batch.Reorder(sources);
            one.Append(keys, values, 3);
            one.Truncate(30);
            one.Clear();
            other.Clear();
        });
        Allocations.AreNone("one piece", () =>
        {
            cache.Append(keys, values, 40);
            cache.Append(keys, values, 30);
            cache.Reorder(sources);
            cache.Retain(0, 36, kept.AsSpan(1));
            cache.Truncate(kept.AsSpan(0, 2));
            cache.CopySequence(0, 1);
            cache.Clear();
        });
    }

    [Fact]
    public static void Attention_over_a_shared_prefix_allocates_nothing()
    {
        using KeyValuePagePool pool = Pool(20);
        using var prompt = new PagedSequence(pool);
        Append(prompt, Range(0, 110));
        using PagedSequence fork = prompt.Fork();
        Append(fork, Range(0, 5));
        var batch = new PagedBatch(pool) { SharesPrefix = true };
        batch.Add(prompt);
        batch.Add(fork);
        float[] query = new float[2 * Heads * 5 * HeadDim], output = new float[2 * Heads * 5 * ValueDim], sums = new float[2 * Heads * 5];
        int[] starts = [0, 2, 5];
        Allocations.AreNone("some queries", () => batch.Attend(query, output, Heads, 5));
        Allocations.AreNone("one query", () => batch.Attend(query, new AttentionOutput(output, sums), Heads, 1));
        Allocations.AreNone("ragged", () => batch.Attend(query, output, Heads, 3, options: new() { QueryStarts = starts }));
        Half[] halves = new Half[query.Length];
        BFloat16[] bfloats = new BFloat16[output.Length];
        Allocations.AreNone("some queries of 16 bits", () => batch.Attend(halves, bfloats, Heads, 5));
    }

    [Theory]
    [InlineData(PagedFormat.Int8PerToken)]
    [InlineData(PagedFormat.Int8PerChannel)]
    [InlineData(PagedFormat.Int8Groups)]
    [InlineData(PagedFormat.Int4Groups)]
    [InlineData(PagedFormat.Int4PerChannel)]
    public static void Attention_over_integers_allocates_nothing(PagedFormat format)
    {
        using KeyValuePagePool pool = IntegerPool(10, format, format);
        using var sequence = new PagedSequence(pool);
        var batch = new PagedBatch(pool);
        batch.Add(sequence);
        Append(sequence, Range(0, 100));
        float[] query = new float[Heads * 20 * BitsOfKey], output = new float[Heads * 20 * BitsOfValue];
        Allocations.AreNone("some queries", () => batch.Attend(query, output, Heads, 20));
        Allocations.AreNone("one query", () => batch.Attend(query, output, Heads, 1));
    }
}
