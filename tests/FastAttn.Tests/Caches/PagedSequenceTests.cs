using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

using static FastAttn.Tests.Caches.PagedTokens;

namespace FastAttn.Tests.Caches;

/// <summary>Sequences of tokens in pages of 16, and how many pages that takes, counted by hand.</summary>
public static class PagedSequenceTests
{
    [Fact]
    public static void Appended_tokens_come_back_and_take_a_page_for_each_sixteen()
    {
        using KeyValuePagePool pool = Pool(5);
        using var sequence = new PagedSequence(pool);
        Assert.Equal(5, pool.FreePages);
        Append(sequence, Range(0, 10));
        Assert.Equal((10, 4, 1), (sequence.Length, pool.FreePages, sequence.Pages.Length));
        Append(sequence, Range(10, 6));
        Assert.Equal(4, pool.FreePages);
        Append(sequence, Range(16, 17));
        Assert.Equal((33, 2), (sequence.Length, pool.FreePages));
        AreIn(sequence, Range(0, 33));
        Assert.Equal(3, sequence.Pages.ToArray().Distinct().Count());
    }

    [Theory]
    [InlineData(AttentionElement.Float16, AttentionElement.Float32)]
    [InlineData(AttentionElement.BFloat16, AttentionElement.Float16)]
    [InlineData(AttentionElement.Float32, AttentionElement.BFloat16)]
    public static void Keys_and_values_are_kept_each_in_its_own_type(AttentionElement keyElement, AttentionElement valueElement)
    {
        using KeyValuePagePool pool = Pool(3, keyElement, valueElement);
        using var sequence = new PagedSequence(pool);
        Append(sequence, Range(0, 40));
        AreIn(sequence, Range(0, 40));

        float[] keys = new float[Heads * HeadDim], values = new float[Heads * ValueDim];
        Array.Fill(keys, 1 / 3f);
        Array.Fill(values, -1 / 3f);
        sequence.Append(keys, values, 1);
        sequence.CopyTo(40, 1, keys, values);
        Assert.All(keys, key => Assert.Equal(Kept(1 / 3f, keyElement), key));
        Assert.All(values, value => Assert.Equal(Kept(-1 / 3f, valueElement), value));

        // 0x3EAA_AAAB: bfloat16 keeps 0x3EAB, a half 0x3555.
        static float Kept(float number, AttentionElement element) => MathF.CopySign(
            element switch { AttentionElement.Float32 => number, AttentionElement.Float16 => 0.333251953125f, _ => 0.333984375f }, number);
    }

    [Fact]
    public static void Each_token_and_head_has_a_scale_of_its_own()
    {
        using KeyValuePagePool pool = Pool(2, AttentionElement.Int8, AttentionElement.Int8);
        using var sequence = new PagedSequence(pool);

        // Scales 1/8 and 2 for keys, 1 and 0 for values. q = 127, −8, 0.48, 0.56 and 127, 0.5, 1.5, −0.5.
        sequence.Append([15.875f, -1, 0.06f, 0.07f, 254, 1, 3, -1], [-127, 0.5f, 0.75f, 0, 0, 0], 1);
        float[] keys = new float[8], values = new float[6];
        sequence.CopyTo(0, 1, keys, values);
        Assert.Equal([15.875f, -1, 0, 0.125f, 254, 0, 4, 0], keys);
        Assert.Equal([-127, 0, 1, 0, 0, 0], values);
    }

    [Fact]
    public static void Scales_of_channels_are_those_that_the_pool_was_made_with()
    {
        float[] keyScales = [0.5f, 1, 0, 2, 1, 1, 1, 4], valueScales = [1, 2, 3, 4, 5, 6];
        using var pool = new KeyValuePagePool(2, 16, Heads, HeadDim, ValueDim, AttentionElement.Int8, AttentionElement.Int8, keyScales, valueScales);
        Array.Clear(keyScales);
        Array.Clear(valueScales);
        using var sequence = new PagedSequence(pool);

        // q = 200 and 250, which are cut off, −3.5, and whatever the scale 0 makes 0.
        sequence.Append([100, -3.5f, 7, 500, 3, -1000, 0, 4], [1, 2, 3, 4, 5, 8], 1);
        float[] keys = new float[8], values = new float[6];
        sequence.CopyTo(0, 1, keys, values);
        Assert.Equal([63.5f, -4, 0, 254, 3, -127, 0, 4], keys);
        Assert.Equal([1, 2, 3, 4, 5, 6], values);
    }

    [Theory]
    [InlineData(PagedFormat.Int8PerToken)]
    [InlineData(PagedFormat.Int8PerChannel)]
    [InlineData(PagedFormat.Int8Groups)]
    [InlineData(PagedFormat.Int4Groups)]
    public static void A_copied_page_keeps_its_integers_and_scales(PagedFormat format)
    {
        using KeyValuePagePool pool = IntegerPool(4, format, format);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 21));
        using PagedSequence fork = origin.Fork();
        Append(fork, Range(100, 5));
        Append(origin, Range(203, 5));
        Assert.NotEqual(origin.Pages[1], fork.Pages[1]);
        AreIn(fork, [.. Range(0, 21), .. Range(100, 5)]);
        AreIn(origin, [.. Range(0, 21), .. Range(203, 5)]);
    }

    [Fact]
    public static void Numbers_that_are_not_finite_or_become_infinite_are_kept_as_they_are()
    {
        using KeyValuePagePool pool = Pool(1, AttentionElement.Float16);
        using var sequence = new PagedSequence(pool);
        float[] keys = [float.NaN, float.NegativeInfinity, 1e6f, -1e6f, 0, 1, 2, 3], values = [float.NaN, float.PositiveInfinity, 1e38f, 0, 1, 2];
        sequence.Append(keys, values, 1);
        float[] keptKeys = new float[8], keptValues = new float[6];
        sequence.CopyTo(0, 1, keptKeys, keptValues);
        Assert.Equal([float.NaN, float.NegativeInfinity, float.PositiveInfinity, float.NegativeInfinity, 0, 1, 2, 3], keptKeys);
        Assert.Equal(values, keptValues);
    }

    [Fact]
    public static void Forks_share_pages_until_one_appends_to_a_page_that_is_filled_in_part()
    {
        using KeyValuePagePool pool = Pool(6);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 20));
        using PagedSequence fork = origin.Fork();
        Assert.Equal((4, 20), (pool.FreePages, fork.Length));
        Assert.True(fork.Pages.SequenceEqual(origin.Pages));

        Assert.Equal(1, fork.PagesNeeded(1));
        Append(fork, 100);
        Assert.Equal(3, pool.FreePages);
        Assert.Equal(origin.Pages[0], fork.Pages[0]);
        Assert.NotEqual(origin.Pages[1], fork.Pages[1]);

        // The origin's last page is its own now.
        Assert.Equal(0, origin.PagesNeeded(1));
        Append(origin, 200);
        Assert.Equal(3, pool.FreePages);
        AreIn(origin, [.. Range(0, 20), 200]);
        AreIn(fork, [.. Range(0, 20), 100]);
    }

    [Fact]
    public static void A_full_page_is_never_copied()
    {
        using KeyValuePagePool pool = Pool(4);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 32));
        using PagedSequence fork = origin.Fork();
        Append(fork, 100);
        Append(origin, 200);
        Assert.Equal(0, pool.FreePages);
        Assert.True(fork.Pages[..2].SequenceEqual(origin.Pages[..2]));
        AreIn(origin, [.. Range(0, 32), 200]);
        AreIn(fork, [.. Range(0, 32), 100]);
    }

    [Fact]
    public static void A_fork_that_was_truncated_does_not_write_into_its_origin()
    {
        using KeyValuePagePool pool = Pool(4);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 20));
        using PagedSequence fork = origin.Fork();
        fork.Truncate(5);
        Assert.Equal(2, pool.FreePages);
        Append(fork, 100, 101);
        Assert.Equal(1, pool.FreePages);
        AreIn(fork, [.. Range(0, 5), 100, 101]);
        AreIn(origin, Range(0, 20));
    }

    [Fact]
    public static void Truncating_gives_back_the_pages_after_the_last_token()
    {
        using KeyValuePagePool pool = Pool(4);
        using var sequence = new PagedSequence(pool);
        Append(sequence, Range(0, 49));
        sequence.Truncate(50);
        Assert.Equal((49, 0), (sequence.Length, pool.FreePages));
        sequence.Truncate(32);
        Assert.Equal((32, 2), (sequence.Length, pool.FreePages));
        sequence.Truncate(31);
        Assert.Equal(2, pool.FreePages);
        Append(sequence, 100, 101);
        Assert.Equal(1, pool.FreePages);
        AreIn(sequence, [.. Range(0, 31), 100, 101]);
        sequence.Clear();
        Assert.Equal((0, 4), (sequence.Length, pool.FreePages));
    }

    [Fact]
    public static void Evicting_gives_back_whole_pages_before_a_position_and_moves_no_token()
    {
        using KeyValuePagePool pool = Pool(4);
        using var sequence = new PagedSequence(pool);
        Append(sequence, Range(0, 50));
        sequence.EvictBefore(-3);
        sequence.EvictBefore(15);
        Assert.Equal((0, 0), (sequence.EvictedTokens, pool.FreePages));
        sequence.EvictBefore(33);
        Assert.Equal((32, 50, 2), (sequence.EvictedTokens, sequence.Length, pool.FreePages));
        sequence.EvictBefore(16);
        Assert.Equal(32, sequence.EvictedTokens);
        Append(sequence, Range(50, 20));
        Assert.Equal(1, pool.FreePages);
        AreIn(sequence, Range(32, 38));

        // Token 40 is still at position 40.
        float[] keys = new float[8], values = new float[6];
        sequence.CopyTo(40, 1, keys, values);
        Assert.Equal(Keys(40), keys);
        Assert.Equal(Values(40), values);
    }

    [Fact]
    public static void Evicting_between_gives_back_whole_pages_and_moves_the_tokens_after_them_up()
    {
        using KeyValuePagePool pool = Pool(5);
        using var sequence = new PagedSequence(pool);
        Append(sequence, Range(0, 70));

        // Tokens 0 to 3 and the last 20 are needed. Pages 1 and 2, tokens 16 to 47, are those that have none of these.
        Assert.Equal(32, sequence.EvictBetween(4, 50));
        Assert.Equal((38, 70, 0, 2), (sequence.Length, sequence.NextPosition, sequence.EvictedTokens, pool.FreePages));
        AreIn(sequence, [.. Range(0, 16), .. Range(48, 22)]);

        // Nothing lies between any more but a part of a page.
        Assert.Equal(0, sequence.EvictBetween(4, 18));
        Append(sequence, Range(70, 10));
        Assert.Equal((48, 80, 2), (sequence.Length, sequence.NextPosition, pool.FreePages));

        // Token 48, the first after the gap, is forgotten, and its position free again; that of token 20 once it is gone, too.
        using PagedSequence fork = sequence.Fork();
        fork.Truncate(16);
        Assert.Equal((16, 48), (fork.Length, fork.NextPosition));
        fork.Truncate(15);
        Assert.Equal((15, 15), (fork.Length, fork.NextPosition));
        AreIn(fork, Range(0, 15));

        // All that is left but the first page; the position stays.
        Assert.Equal(32, sequence.EvictBetween(16, 48));
        Assert.Equal((16, 80, 4), (sequence.Length, sequence.NextPosition, pool.FreePages));
        sequence.Clear();
        Assert.Equal((0, 0), (sequence.Length, sequence.NextPosition));
    }

    [Fact]
    public static void Evicting_between_after_a_window_counts_both()
    {
        using KeyValuePagePool pool = Pool(6);
        using var sequence = new PagedSequence(pool);
        Append(sequence, Range(0, 90));
        sequence.EvictBefore(20);
        Assert.Equal(32, sequence.EvictBetween(32, 75));
        Assert.Equal((58, 90, 16, 3), (sequence.Length, sequence.NextPosition, sequence.EvictedTokens, pool.FreePages));
        AreIn(sequence, [.. Range(16, 16), .. Range(64, 26)]);
        sequence.EvictBefore(32);
        Assert.Equal((58, 90, 32, 4), (sequence.Length, sequence.NextPosition, sequence.EvictedTokens, pool.FreePages));
        AreIn(sequence, Range(64, 26));
    }

    [Fact]
    public static void A_fork_keeps_what_its_origin_evicts()
    {
        using KeyValuePagePool pool = Pool(4);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 60));
        using PagedSequence fork = origin.Fork();
        Assert.Equal(32, origin.EvictBetween(16, 48));
        Assert.Equal(0, pool.FreePages);
        AreIn(fork, Range(0, 60));
        AreIn(origin, [.. Range(0, 16), .. Range(48, 12)]);
        fork.Dispose();
        Assert.Equal(2, pool.FreePages);
    }

    [Fact]
    public static void A_sequence_without_any_page_left_goes_on_at_its_position()
    {
        using KeyValuePagePool pool = Pool(2);
        using var sequence = new PagedSequence(pool);
        Append(sequence, Range(0, 32));
        sequence.EvictBefore(32);
        Assert.Equal((32, 32, 2), (sequence.Length, sequence.EvictedTokens, pool.FreePages));
        Append(sequence, Range(32, 5));
        sequence.Truncate(32);
        Assert.Equal((32, 32, 2), (sequence.Length, sequence.EvictedTokens, pool.FreePages));
        Append(sequence, 7);
        AreIn(sequence, 7);
        Assert.Equal(33, sequence.Length);
        Assert.Throws<ArgumentOutOfRangeException>("length", () => sequence.Truncate(31));
        Assert.Equal((33, 32, 1), (sequence.Length, sequence.EvictedTokens, pool.FreePages));
        sequence.Truncate(0);
        Assert.Equal((0, 0, 2), (sequence.Length, sequence.EvictedTokens, pool.FreePages));
    }

    [Fact]
    public static void An_append_without_enough_pages_says_so_and_changes_nothing()
    {
        using KeyValuePagePool pool = Pool(4);
        using var origin = new PagedSequence(pool);
        Append(origin, Range(0, 20));
        using PagedSequence fork = origin.Fork();
        int[] pages = fork.Pages.ToArray();
        Assert.Equal(3, fork.PagesNeeded(40));

        // 40 more tokens fill page 1, of which the fork needs its own, and two more.
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => Append(fork, Range(100, 40)));
        Assert.Contains("needs 3, and 2 of 4 are free", error.Message, StringComparison.Ordinal);
        Assert.Equal((20, 2), (fork.Length, pool.FreePages));
        Assert.Equal(pages, fork.Pages.ToArray());
        AreIn(fork, Range(0, 20));

        Append(fork, Range(100, 28));
        Assert.Equal(0, pool.FreePages);
        AreIn(fork, [.. Range(0, 20), .. Range(100, 28)]);
        AreIn(origin, Range(0, 20));
    }

    [Fact]
    public static void A_disposed_sequence_gives_back_what_no_other_has()
    {
        using KeyValuePagePool pool = Pool(4);
        var origin = new PagedSequence(pool);
        Append(origin, Range(0, 40));
        PagedSequence fork = origin.Fork();
        Append(fork, 100);
        origin.Dispose();
        Assert.Equal(1, pool.FreePages);
        AreIn(fork, [.. Range(0, 40), 100]);
        origin.Dispose();
        Assert.Equal(1, pool.FreePages);
        fork.Dispose();
        Assert.Equal(4, pool.FreePages);
    }

    [Theory]
    [InlineData(RotaryPairing.HalfSplit, false)]
    [InlineData(RotaryPairing.Interleaved, false)]
    [InlineData(RotaryPairing.HalfSplit, true)]
    public static void Keys_are_turned_by_their_positions(RotaryPairing pairing, bool isBetween)
    {
        // Four of five elements are turned. Positions go on after an append and after evicted tokens, those in between too: tokens 16 to 31 are gone.
        const int Tokens = 40;
        var rotary = new RotaryEmbedding(dim: 4, pairing, frequencyBase: 100);
        using var pool = new KeyValuePagePool(pageCount: 3, pageSize: 16, keyValueHeads: 2, headDim: 5, valueDim: 1);
        using var sequence = new PagedSequence(pool);
        float[] keys = new float[Tokens * 2 * 5], values = new float[Tokens * 2];
        RandomData.FillNormal(keys, new Random(1));
        float[] given = [.. keys];
        sequence.Append(keys, values, 33, rotary);
        if (isBetween)
            sequence.EvictBetween(16, 32);
        else
            sequence.EvictBefore(32);
        sequence.Append(keys.AsSpan(33 * 10), values, Tokens - 33, rotary);
        Assert.Equal(given, keys);

        float[] kept = new float[(Tokens - 32) * 10];
        sequence.CopyTo(isBetween ? 16 : 32, Tokens - 32, kept, values);
        for (int row = 0; row < kept.Length / 5; row++)
        {
            double[] head = [.. given.AsSpan(32 * 10 + row * 5, 5).ToArray().Select(static number => (double)number)];
            NaiveRotary.Turn(head, 4, pairing, 100, position: 32 + row / 2);
            for (int i = 0; i < 5; i++)
            {
                // Two products and a sum of numbers below 5, each rounded to float32: 4 roundings of half an ulp of 8, and of the cosine and sine.
                Assert.True(Math.Abs(kept[row * 5 + i] - head[i]) <= 6 * 2.4e-7 * 2, $"Row {row}, element {i}: {kept[row * 5 + i]}, not {head[i]}.");
            }
        }
    }

    [Theory]
    [InlineData(AttentionElement.Int8)]
    [InlineData(AttentionElement.Int8Group32)]
    public static void Keys_that_turning_makes_infinite_are_refused_and_all_is_as_before(AttentionElement element)
    {
        // At position 21 (x, y) becomes (x·cos 21 − y·sin 21, x·sin 21 + y·cos 21), some 1.38 times a number of equal x and −y.
        var rotary = new RotaryEmbedding(dim: 2);
        using var pool = new KeyValuePagePool(pageCount: 4, pageSize: 16, keyValueHeads: 1, headDim: 32, keyElement: element);
        using var origin = new PagedSequence(pool);
        float[] keys = new float[20 * 32], values = new float[20 * 32], kept = new float[20 * 32], before = new float[20 * 32];
        RandomData.FillNormal(keys, new Random(1));
        origin.Append(keys, values, 20, rotary);
        using PagedSequence fork = origin.Fork();
        int[] pages = fork.Pages.ToArray();
        fork.CopyTo(0, 20, before, values);
        keys[32] = 3e38f;
        keys[33] = -3e38f;
        var error = Assert.Throws<ArgumentException>("keys", () => fork.Append(keys, values, 2, rotary));
        Assert.Contains("Token 1, head 0, as it is turned", error.Message, StringComparison.Ordinal);
        Assert.Equal((20, 20, 2), (fork.Length, fork.NextPosition, pool.FreePages));
        Assert.Equal(pages, fork.Pages.ToArray());
        fork.CopyTo(0, 20, kept, values);
        Compare.SameBits("Keys", before, kept);
        keys[33] = 0;
        fork.Append(keys, values, element == AttentionElement.Int8 ? 2 : 1, rotary);
        Assert.Equal(1, pool.FreePages);
    }

    [Theory]
    [InlineData(AttentionElement.BFloat16)]
    [InlineData(AttentionElement.Int8)]
    public static void Turned_keys_are_rounded_after_they_are_turned(AttentionElement element)
    {
        var rotary = new RotaryEmbedding(dim: 4);
        using KeyValuePagePool pool = Pool(2, element);
        using PagedSequence fused = new(pool), before = new(pool);
        float[] keys = Keys(Range(3, 12)), values = Values(Range(3, 12));
        fused.Append(keys, values, 12, rotary);
        rotary.Apply(keys, Heads, HeadDim, position: 0);
        before.Append(keys, values, 12);
        float[] one = new float[keys.Length], other = new float[keys.Length];
        fused.CopyTo(0, 12, one, values);
        before.CopyTo(0, 12, other, values);
        Compare.SameBits("Keys", other, one);
    }
}
