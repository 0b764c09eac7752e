using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

using static FastAttn.Tests.Caches.PagedTokens;

namespace FastAttn.Tests.Caches;

/// <summary>Wrong arguments are refused by name, and nothing has changed then.</summary>
public static class PagedArgumentTests
{
    [Fact]
    public static void Sizes_of_a_pool_that_do_not_fit_are_refused()
    {
        Refused("pageCount", static () => _ = new KeyValuePagePool(0, 16, 1, 8));
        Refused("pageSize", static () => _ = new KeyValuePagePool(1, 0, 1, 8));
        Refused("pageSize", static () => _ = new KeyValuePagePool(1, 24, 1, 8));
        Refused("pageSize", static () => _ = new KeyValuePagePool(1, -16, 1, 8));
        Refused("keyValueHeads", static () => _ = new KeyValuePagePool(1, 16, 0, 8));
        Refused("headDim", static () => _ = new KeyValuePagePool(1, 16, 1, 0));
        Refused("headDim", static () => _ = new KeyValuePagePool(1, 16, 1, 1025));
        Refused("valueDim", static () => _ = new KeyValuePagePool(1, 16, 1, 8, 0));
        Refused("valueDim", static () => _ = new KeyValuePagePool(1, 16, 1, 8, 1025));
        Refused("keyElement", static () => _ = new KeyValuePagePool(1, 16, 1, 8, keyElement: (AttentionElement)(-1)));
        Refused("valueElement", static () => _ = new KeyValuePagePool(1, 16, 1, 8, valueElement: (AttentionElement)99));

        // 32 tokens that are rounded together are of one page.
        Refused("pageSize", static () => _ = new KeyValuePagePool(1, 48, 1, 32, keyElement: AttentionElement.Int4));
        Refused("pageSize", static () => _ = new KeyValuePagePool(1, 16, 1, 32, valueElement: AttentionElement.Int4));
        Refused("headDim", static () => _ = new KeyValuePagePool(1, 32, 1, 40, 32, keyElement: AttentionElement.Int4));
        Refused("valueDim", static () => _ = new KeyValueCache(1, 32, 1, 32, 40, valueElement: AttentionElement.Int4));

        // Groups of 32 do not fill such rows.
        Refused("headDim", static () => _ = new KeyValuePagePool(1, 16, 1, 40, 32, keyElement: AttentionElement.Int8Group32));
        Refused("headDim", static () => _ = new KeyValuePagePool(1, 16, 1, 40, valueElement: AttentionElement.Int4Group32));
        Refused("valueDim", static () => _ = new KeyValuePagePool(1, 16, 1, 40, 48, valueElement: AttentionElement.Int4Group32));

        // Scales of channels that are too few, too many, of other types, or no scales.
        Refused("keyScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, keyElement: AttentionElement.Int8, keyScales: [1, 1, 1]));
        Refused("keyScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, keyElement: AttentionElement.Int8, keyScales: [1, 1, 1, 1, 1]));
        Refused("keyScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, keyElement: AttentionElement.Int8, keyScales: [1, 1, 1, float.NaN]));
        Refused("keyScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, keyElement: AttentionElement.Int8, keyScales: [float.PositiveInfinity, 1, 1, 1]));
        Refused("keyScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, valueElement: AttentionElement.Int8, keyScales: [1, 1, 1, 1]));
        Refused("valueScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, 3, valueElement: AttentionElement.Int8, valueScales: [1, 1, 1, 1]));
        Refused("valueScales", static () => _ = new KeyValuePagePool(1, 16, 2, 2, valueElement: AttentionElement.Int8, valueScales: [1, -1, 1, 1]));
        Refused("valueScales", static () => _ = new KeyValuePagePool(1, 16, 1, 32, valueElement: AttentionElement.Int4Group32, valueScales: new float[32]));

        // Fewer than 2³¹ elements, but 34 bytes for 32 of them.
        Refused("pageCount", static () => _ = new KeyValuePagePool((1 << 17) - 1, 16, 1, 1024, 32, keyElement: AttentionElement.Int8Group32));

        // 2³¹ elements.
        Refused("pageCount", static () => _ = new KeyValuePagePool(1 << 17, 16, 1, 512, 1024));
        Refused("pageCount", static () => _ = new KeyValuePagePool(int.MaxValue, 1 << 30, int.MaxValue, 1024));
    }

    [Fact]
    public static void What_a_pool_was_made_with_is_what_it_says()
    {
        using var pool = new KeyValuePagePool(3, 96, 2, 64, 32, AttentionElement.Float16, AttentionElement.BFloat16);
        Assert.Equal((3, 3, 96, 2), (pool.PageCount, pool.FreePages, pool.PageSize, pool.KeyValueHeads));
        Assert.Equal((64, 32, AttentionElement.Float16, AttentionElement.BFloat16), (pool.HeadDim, pool.ValueDim, pool.KeyElement, pool.ValueElement));
        using var square = new KeyValuePagePool(1, 16, 1, 8);
        Assert.Equal((8, AttentionElement.Float32, AttentionElement.Float32), (square.ValueDim, square.KeyElement, square.ValueElement));
    }

    [Fact]
    public static void Arguments_of_a_sequence_that_do_not_fit_are_refused_and_change_nothing()
    {
        using KeyValuePagePool pool = Pool(4);
        Assert.Throws<ArgumentNullException>("pool", static () => _ = new PagedSequence(null!));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", () => _ = new PagedSequence(pool, -1));
        using var sequence = new PagedSequence(pool, capacity: int.MaxValue);
        Append(sequence, Range(0, 40));
        sequence.EvictBefore(16);
        float[] keys = new float[3 * Heads * HeadDim], values = new float[3 * Heads * ValueDim], shared = new float[60];

        Throws("tokens", () => sequence.Append(keys, values, -1));
        Throws("tokens", () => sequence.Append(keys, values, int.MaxValue - 39));
        Throws("keys", () => sequence.Append(keys.AsSpan(1), values, 3));
        Throws("keys", () => sequence.Append(keys, values, int.MaxValue - 40));
        Throws("values", () => sequence.Append(keys, values.AsSpan(1), 3));
        Throws("rotary", () => sequence.Append(keys, values, 3, new RotaryEmbedding(6)));
        Throws("tokens", () => sequence.PagesNeeded(-1));
        Throws("length", () => sequence.Truncate(-1));
        Throws("length", () => sequence.Truncate(15));
        Throws("token", () => sequence.EvictBefore(41));
        Throws("start", () => sequence.EvictBetween(15, 40));
        Throws("start", () => sequence.EvictBetween(41, 41));
        Throws("end", () => sequence.EvictBetween(17, 16));
        Throws("end", () => sequence.EvictBetween(16, 41));
        Throws("start", () => sequence.CopyTo(15, 1, keys, values));
        Throws("start", () => sequence.CopyTo(41, 0, keys, values));
        Throws("tokens", () => sequence.CopyTo(39, 2, keys, values));
        Throws("tokens", () => sequence.CopyTo(39, -1, keys, values));
        Throws("keys", () => sequence.CopyTo(20, 3, keys.AsSpan(1), values));
        Throws("values", () => sequence.CopyTo(20, 3, keys, values.AsSpan(1)));
        Throws("values", () => sequence.CopyTo(20, 3, shared, shared.AsSpan(23)));

        void Throws(string parameter, Action call)
        {
            Refused(parameter, call);
            Assert.Equal((40, 16, 2), (sequence.Length, sequence.EvictedTokens, pool.FreePages));
            AreIn(sequence, Range(16, 24));
            Assert.All(keys, static key => Assert.Equal(0, key));
            Assert.All(shared, static number => Assert.Equal(0, number));
        }
    }

    [Theory]
    [InlineData(PagedFormat.Int8PerToken)]
    [InlineData(PagedFormat.Int8PerChannel)]
    [InlineData(PagedFormat.Int8Groups)]
    [InlineData(PagedFormat.Int4Groups)]
    public static void What_cannot_become_an_integer_is_refused_and_changes_nothing(PagedFormat format)
    {
        // The fork shares a page that is filled in part, which would be copied. 20 tokens more would take another page, too.
        const int Tokens = 20;
        using KeyValuePagePool pool = IntegerPool(5, format, format);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 20));
        using PagedSequence fork = origin.Fork();
        int[] pages = fork.Pages.ToArray();
        float[] keys = Bits(BitsOfKey, Range(100, Tokens)), values = Bits(BitsOfValue, Range(100, Tokens));
        RotaryEmbedding? rotary = null;
        foreach (float number in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            rotary = null;
            Throws("keys", keys, keys.Length - 1, number);
            Throws("values", values, values.Length - 1, number);
            rotary = new(dim: 8);
            Throws("keys", keys, keys.Length - 1, number);
            Throws("keys", keys, 3, number);
            Throws("values", values, 0, number);
        }

        // 78740 is the scale, and 66667 in 4 bits: halves end at 65504.
        rotary = null;
        if (format.IsInGroups)
        {
            Throws("keys", keys, keys.Length - 1, 1e7f);
            Throws("values", values, 7, format == PagedFormat.Int8Groups ? 1e7f : 1e6f);
        }

        // Finite, but not when it is turned by a radian: 3e38·(cos 1 + sin 1).
        Array.Fill(keys, 3e38f);
        rotary = new(dim: 8);
        Throws("keys", keys, 0, 3e38f);

        // Then all goes on.
        Append(fork, Range(100, Tokens));
        AreIn(fork, [.. Range(0, 20), .. Range(100, Tokens)]);
        AreIn(origin, Range(0, 20));

        void Throws(string parameter, float[] buffer, int place, float number)
        {
            float before = buffer[place];
            buffer[place] = number;
            Refused(parameter, () => fork.Append(keys, values, Tokens, rotary));
            buffer[place] = before;
            Assert.Equal((20, 3), (fork.Length, pool.FreePages));
            Assert.Equal(pages, fork.Pages.ToArray());
            AreIn(fork, Range(0, 20));
        }
    }

    [Fact]
    public static void Buffers_may_be_longer_than_needed_and_no_token_is_valid()
    {
        using KeyValuePagePool pool = Pool(2);
        using var sequence = new PagedSequence(pool);
        sequence.Append([], [], 0);
        Assert.Equal((0, 2), (sequence.Length, pool.FreePages));
        sequence.Append(Keys(Range(0, 9)), Values(Range(0, 7)), 5);
        float[] keys = new float[50], values = new float[50];
        keys.AsSpan().Fill(-1);
        sequence.CopyTo(0, 5, keys, values);
        Assert.Equal([.. Keys(Range(0, 5)), .. Enumerable.Repeat(-1f, 10)], keys);
        AreIn(sequence, Range(0, 5));
    }

    [Fact]
    public static void What_has_been_disposed_of_is_refused()
    {
        KeyValuePagePool pool = Pool(2);
        var gone = new PagedSequence(pool);
        Append(gone, Range(0, 5));
        gone.Dispose();
        Disposed(() => gone.Append([], [], 0));
        Disposed(() => gone.PagesNeeded(0));
        Disposed(() => gone.Truncate(0));
        Disposed(() => gone.Clear());
        Disposed(() => gone.EvictBefore(0));
        Disposed(() => gone.Fork());
        Disposed(() => gone.CopyTo(0, 0, [], []));
        Assert.Equal(2, pool.FreePages);

        var orphan = new PagedSequence(pool);
        Append(orphan, Range(0, 5));
        pool.Dispose();
        pool.Dispose();
        Disposed(() => orphan.Append([], [], 0));
        Disposed(() => orphan.Fork());
        Disposed(() => orphan.CopyTo(0, 0, [], []));
        Disposed(() => _ = new PagedSequence(pool));
        orphan.Dispose();
        Assert.Equal(2, pool.FreePages);
    }

    private static void Disposed(Action call) => Assert.Throws<ObjectDisposedException>(call);

    private static void Refused(string parameter, Action call) => Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);

    [Fact]
    public static void A_table_of_more_pages_than_an_array_holds_is_refused()
    {
        Assert.SkipWhen(Budget.IsSmall, "Four million tokens are appended.");

        // 2^18 pages for each of 2^13 sequences.
        const int Pages = 1 << 18, Sequences = 1 << 13;
        using var pool = new KeyValuePagePool(Pages, pageSize: 16, keyValueHeads: 1, headDim: 1);
        var batch = new PagedBatch(pool);
        var longest = new PagedSequence(pool, Pages * 16);
        float[] tokens = new float[1 << 16], query = new float[Sequences], output = new float[Sequences];
        for (int i = 0; i < Pages * 16; i += tokens.Length)
            longest.Append(tokens, tokens, tokens.Length);
        batch.Add(longest);
        for (int i = 1; i < Sequences; i++)
            batch.Add(new(pool));
        Array.Fill(output, Canary.Value);
        Assert.Throws<ArgumentException>("this", () => batch.Attend(query, output, 1, 1, AttentionMask.None));
        Assert.All(output, static number => Assert.True(Canary.Is(number)));
        Assert.Equal((Pages * 16, 0), (longest.Length, pool.FreePages));
    }
}
