using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>Caches whose tokens are rounded together, 32 of them, as sequences grow and are shortened: against <see cref="Int4Model"/>, to the bit.</summary>
public static class Int4CacheTests
{
    private const int Heads = 2, HeadDim = 32, ValueDim = 64;

    [Fact]
    public static void Groups_that_are_full_do_not_depend_on_how_tokens_came()
    {
        // 100 tokens at once, one by one, and in pieces that end inside groups and at their ends, in both caches, turned.
        const int Tokens = 100;
        var rotary = new RotaryEmbedding(16);
        var random = new Random(5);
        float[] keys = Normal(random, Tokens * Heads * HeadDim), values = Normal(random, Tokens * Heads * ValueDim), turned = [.. keys];
        rotary.Apply(turned, Heads, HeadDim, position: 0);
        Int4Model keyModel = new(Heads, HeadDim), valueModel = new(Heads, ValueDim);
        keyModel.Append(Rows(turned, HeadDim));
        valueModel.Append(Rows(values, ValueDim));
        foreach (int[] pieces in (int[][])[[100], [.. Enumerable.Repeat(1, 100)], [31, 1, 32, 33, 3], [40, 60], [5, 64, 31]])
        {
            using KeyValuePagePool pool = Pool(8, 32);
            using var sequence = new PagedSequence(pool);
            KeyValueCache cache = Cache(2, 10);
            for (int i = 0, done = 0; i < pieces.Length; done += pieces[i++])
            {
                ReadOnlySpan<float> pieceOfKeys = keys.AsSpan(done * Heads * HeadDim, pieces[i] * Heads * HeadDim), pieceOfValues = values.AsSpan(done * Heads * ValueDim, pieces[i] * Heads * ValueDim);
                sequence.Append(pieceOfKeys, pieceOfValues, pieces[i], rotary);
                cache.Append((float[])[.. pieceOfKeys, .. pieceOfKeys], (float[])[.. pieceOfValues, .. pieceOfValues], pieces[i], rotary: rotary);
            }

            Check("pages", sequence, keyModel, valueModel);
            Check("first", cache, 0, keyModel, valueModel);
            Check("second", cache, 1, keyModel, valueModel);
        }
    }

    [Fact]
    public static void Drafts_that_are_taken_back_leave_no_trace()
    {
        // 5 tokens more each time, of which 2 stay, over many begins of groups.
        var random = new Random(6);
        using KeyValuePagePool pool = Pool(12, 32);
        using PagedSequence drafts = new(pool), straight = new(pool);
        for (int i = 0; i < 60; i++)
        {
            float[] keys = Normal(random, 5 * Heads * HeadDim), values = Normal(random, 5 * Heads * ValueDim);
            drafts.Append(keys, values, 5);
            drafts.Truncate(2 * i + 2);
            straight.Append(keys, values, 2);
        }

        float[] last = Normal(random, Heads * ValueDim), keptKeys = new float[121 * Heads * HeadDim], keptValues = new float[121 * Heads * ValueDim], expectedKeys = [.. keptKeys], expectedValues = [.. keptValues];
        drafts.Append(last, last, 1);
        straight.Append(last, last, 1);
        drafts.CopyTo(0, 121, keptKeys, keptValues);
        straight.CopyTo(0, 121, expectedKeys, expectedValues);
        Compare.SameBits("keys", expectedKeys, keptKeys);
        Compare.SameBits("values", expectedValues, keptValues);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(96)]
    [InlineData(128)]
    [InlineData(77)]
    public static void A_prompt_at_once_is_shortened_as_one_that_came_token_by_token(int tokens)
    {
        // Back to the begin of the group before the open one, also where the prompt begins inside a group, and then two tokens more.
        var random = new Random(tokens);
        float[] keys = Normal(random, (tokens + 2) * Heads * HeadDim), values = Normal(random, (tokens + 2) * Heads * ValueDim);
        using KeyValuePagePool pool = Pool(16, 32);
        foreach (int first in (int[])[0, 20])
        {
            foreach (int kept in (int[])[tokens - 1, tokens - 2, tokens / 32 * 32, tokens / 32 * 32 - 1, tokens / 32 * 32 - 32])
            {
                Int4Model keyModel = new(Heads, HeadDim), valueModel = new(Heads, ValueDim);
                keyModel.Append([.. Rows(keys, HeadDim).Take(kept), .. Rows(keys, HeadDim).Skip(tokens)]);
                valueModel.Append([.. Rows(values, ValueDim).Take(kept), .. Rows(values, ValueDim).Skip(tokens)]);
                using var sequence = new PagedSequence(pool);
                KeyValueCache cache = Cache(1, tokens);
                foreach ((int start, int end) in ((int, int)[])[(0, first), (first, tokens), (tokens, tokens + 2)])
                {
                    if (start == tokens)
                    {
                        sequence.Truncate(kept);
                        cache.Truncate(kept);
                    }

                    float[] newKeys = keys[(start * Heads * HeadDim)..(end * Heads * HeadDim)], newValues = values[(start * Heads * ValueDim)..(end * Heads * ValueDim)];
                    sequence.Append(newKeys, newValues, end - start);
                    cache.Append(newKeys, newValues, end - start);
                }

                Check($"pages, {first} and {tokens - first} tokens, {kept} kept", sequence, keyModel, valueModel);
                Check($"{first} and {tokens - first} tokens, {kept} kept", cache, 0, keyModel, valueModel);
            }
        }
    }

    [Fact]
    public static void Reordered_sequences_are_shortened_as_if_the_tokens_had_come_to_them()
    {
        // Swapped, copied and in a circle, in both caches; then back into the group before the open one, and two tokens more.
        foreach (int tokens in (int[])[32, 33, 50])
        {
            foreach (int[] sources in (int[][])[[1, 0, 2], [0, 0, 2], [2, 0, 1], [1, 1, 1]])
            {
                var random = new Random(tokens);
                using KeyValuePagePool pool = Pool(16, 32);
                PagedSequence[] sequences = [new(pool), new(pool), new(pool)];
                PagedBatch batch = new(pool);
                KeyValueCache cache = Cache(3, 64);
                float[][] keys = [.. sequences.Select(_ => Normal(random, (tokens + 2) * Heads * HeadDim))], values = [.. sequences.Select(_ => Normal(random, (tokens + 2) * Heads * ValueDim))];
                foreach (PagedSequence sequence in sequences)
                    batch.Add(sequence);
                for (int i = 0; i < tokens; i++)
                    Append(i);
                batch.Reorder(sources);
                cache.Reorder(sources);
                cache.Truncate(30);
                foreach (PagedSequence sequence in sequences)
                    sequence.Truncate(30);
                Append(tokens);
                Append(tokens + 1);
                for (int b = 0; b < 3; b++)
                {
                    Int4Model keyModel = new(Heads, HeadDim), valueModel = new(Heads, ValueDim);
                    keyModel.Append([.. Rows(keys[sources[b]], HeadDim).Take(30), .. Rows(keys[b], HeadDim).Skip(tokens)]);
                    valueModel.Append([.. Rows(values[sources[b]], ValueDim).Take(30), .. Rows(values[b], ValueDim).Skip(tokens)]);
                    Check($"pages, sequence {b} of {tokens} tokens", sequences[b], keyModel, valueModel);
                    Check($"sequence {b} of {tokens} tokens", cache, b, keyModel, valueModel);
                }

                void Append(int i)
                {
                    float[][] newKeys = [.. keys.Select(own => own[(i * Heads * HeadDim)..((i + 1) * Heads * HeadDim)])], newValues = [.. values.Select(own => own[(i * Heads * ValueDim)..((i + 1) * Heads * ValueDim)])];
                    for (int b = 0; b < 3; b++)
                        sequences[b].Append(newKeys[b], newValues[b], 1);
                    cache.Append([.. newKeys.SelectMany(static row => row)], [.. newValues.SelectMany(static row => row)], 1);
                }
            }
        }
    }

    [Theory]
    [InlineData(30)]
    [InlineData(62)]
    [InlineData(70)]
    public static void A_refused_append_leaves_no_trace(int refused)
    {
        // It would end one group, two groups or three; afterwards the sequence goes back into the group before the open one, and on from its floats.
        var random = new Random(refused);
        float[] keys = Normal(random, 35 * Heads * HeadDim), values = Normal(random, 35 * Heads * ValueDim);
        Int4Model keyModel = new(Heads, HeadDim), valueModel = new(Heads, ValueDim);
        keyModel.Append([.. Rows(keys, HeadDim).Take(30), .. Rows(keys, HeadDim).Skip(34)]);
        valueModel.Append([.. Rows(values, ValueDim).Take(30), .. Rows(values, ValueDim).Skip(34)]);
        foreach (bool isKey in (bool[])[true, false])
        {
            using KeyValuePagePool pool = Pool(4, 32);
            using var sequence = new PagedSequence(pool);
            KeyValueCache cache = Cache(1, 10);
            Append(0, 30);
            Append(30, 34);
            float[] refusedKeys = Normal(random, refused * Heads * HeadDim), refusedValues = Normal(random, refused * Heads * ValueDim);
            (isKey ? refusedKeys : refusedValues)[^1] = float.NaN;
            string name = isKey ? "keys" : "values";
            Assert.Throws<ArgumentException>(name, () => sequence.Append(refusedKeys, refusedValues, refused));
            Assert.Throws<ArgumentException>(name, () => cache.Append(refusedKeys, refusedValues, refused));
            sequence.Truncate(30);
            cache.Truncate(30);
            Append(34, 35);
            Check($"pages, refused {name}", sequence, keyModel, valueModel);
            Check($"refused {name}", cache, 0, keyModel, valueModel);

            void Append(int start, int end)
            {
                float[] newKeys = keys[(start * Heads * HeadDim)..(end * Heads * HeadDim)], newValues = values[(start * Heads * ValueDim)..(end * Heads * ValueDim)];
                sequence.Append(newKeys, newValues, end - start);
                cache.Append(newKeys, newValues, end - start);
            }
        }
    }

    [Theory]
    [InlineData(32)]
    [InlineData(96)]
    public static void Sequences_in_pages_keep_what_the_model_does(int pageSize)
    {
        int twice = 0;
        for (int seed = 0; seed < Budget.Of(40, 4); seed++)
        {
            var random = new Random(seed);
            using KeyValuePagePool pool = Pool(40 * 96 / pageSize, pageSize);
            var batch = new PagedBatch(pool);
            List<(PagedSequence Actual, Int4Model Keys, Int4Model Values)> sequences = [];
            for (int step = 0; step < 60; step++)
            {
                int index = random.Next(sequences.Count);
                switch (sequences.Count == 0 ? 0 : random.Next(12))
                {
                    case 0 when sequences.Count < 5:
                        Add(new(pool), new(Heads, HeadDim), new(Heads, ValueDim));
                        break;
                    case 1 when sequences.Count < 5:
                        (PagedSequence origin, Int4Model ofKeys, Int4Model ofValues) = sequences[index];
                        Add(origin.Fork(), ofKeys.Clone(), ofValues.Clone());
                        break;
                    case 2 or 3 or 4:
                        (PagedSequence actual, Int4Model keyModel, Int4Model valueModel) = sequences[index];
                        int length = random.Next(2) == 0 ? random.Next(actual.Length + 1) : Math.Max(0, actual.Length - random.Next(8));
                        actual.Truncate(length);
                        keyModel.Truncate(length);
                        valueModel.Truncate(length);
                        break;
                    case 5:
                        (actual, keyModel, valueModel) = sequences[index];
                        int start = random.Next(actual.Length + 1), gone = actual.EvictBetween(start, random.Next(start, actual.Length + 1)), first = (start + pageSize - 1) / pageSize * pageSize;
                        if (gone > 0)
                        {
                            keyModel.Evict(first, gone);
                            valueModel.Evict(first, gone);
                        }

                        break;
                    case 6:
                        int[] sources = [.. sequences.Select(_ => random.Next(sequences.Count))];
                        batch.Reorder(sources);
                        sequences = [.. sequences.Select((sequence, b) => (sequence.Actual, sequences[sources[b]].Keys.Clone(), sequences[sources[b]].Values.Clone()))];
                        break;
                    case 7:
                        (actual, keyModel, valueModel) = sequences[index];
                        int refused = random.Next(1, 100);
                        float[] keys = Normal(random, refused * Heads * HeadDim), values = Normal(random, refused * Heads * ValueDim);
                        (random.Next(2) == 0 ? keys : values)[^1] = random.Next(2) == 0 ? float.NaN : 1e30f;
                        Assert.Throws<ArgumentException>(() => actual.Append(keys, values, refused));
                        break;
                    default:
                        (actual, keyModel, valueModel) = sequences[index];
                        int tokens = Math.Min(random.Next(3) == 0 ? random.Next(70) : random.Next(1, 6), 300 - actual.Length);
                        keys = Normal(random, tokens * Heads * HeadDim);
                        values = Normal(random, tokens * Heads * ValueDim);
                        actual.Append(keys, values, tokens);
                        keyModel.Append(Rows(keys, HeadDim));
                        valueModel.Append(Rows(values, ValueDim));
                        break;
                }

                foreach ((PagedSequence actual, Int4Model keyModel, Int4Model valueModel) in sequences)
                    Check($"seed {seed}, step {step}", actual, keyModel, valueModel);
            }

            twice += sequences.Sum(static sequence => sequence.Keys.RoundedTwice);

            void Add(PagedSequence sequence, Int4Model keys, Int4Model values)
            {
                sequences.Add((sequence, keys, values));
                batch.Add(sequence);
            }
        }

        Assert.True(twice > 0, "No group was rounded twice.");
    }

    [Fact]
    public static void A_cache_of_one_piece_keeps_what_the_model_does()
    {
        for (int seed = 0; seed < Budget.Of(40, 4); seed++)
        {
            const int Batch = 3;
            var random = new Random(seed);
            KeyValueCache cache = Cache(Batch, random.Next(80));
            Int4Model[] keyModels = [.. Enumerable.Range(0, Batch).Select(static _ => new Int4Model(Heads, HeadDim))];
            Int4Model[] valueModels = [.. Enumerable.Range(0, Batch).Select(static _ => new Int4Model(Heads, ValueDim))];
            for (int step = 0; step < 60; step++)
            {
                int b = random.Next(Batch), length = cache.Lengths[b];
                switch (random.Next(10))
                {
                    case 0 or 1:
                        int[] kept = [.. cache.Lengths.ToArray().Select(own => random.Next(3) switch { 0 => own, 1 => Math.Max(0, own - random.Next(8)), _ => random.Next(own + 1) })];
                        cache.Truncate(kept);
                        Each(i => keyModels[i].Truncate(kept[i]), i => valueModels[i].Truncate(kept[i]));
                        break;
                    case 2 or 3:
                        // Some of the last tokens stay, as of drafts, or of many.
                        int start = Math.Max(0, length - random.Next(random.Next(2) == 0 ? 10 : 100));
                        int[] tokens = [.. Enumerable.Range(start, length - start).Where(_ => random.Next(3) > 0)];
                        cache.Retain(b, start, tokens);
                        keyModels[b].Retain(start, tokens);
                        valueModels[b].Retain(start, tokens);
                        break;
                    case 4:
                        int[] sources = [.. Enumerable.Range(0, Batch).Select(_ => random.Next(Batch))];
                        cache.Reorder(sources);
                        (keyModels, valueModels) = ([.. sources.Select(source => keyModels[source].Clone())], [.. sources.Select(source => valueModels[source].Clone())]);
                        break;
                    case 5:
                        int to = random.Next(Batch);
                        cache.CopySequence(b, to);
                        (keyModels[to], valueModels[to]) = (keyModels[b].Clone(), valueModels[b].Clone());
                        break;
                    case 6:
                        int refused = random.Next(1, 100);
                        float[] keys = Normal(random, Batch * refused * Heads * HeadDim), values = Normal(random, Batch * refused * Heads * ValueDim);
                        (random.Next(2) == 0 ? keys : values)[^1] = random.Next(2) == 0 ? float.NaN : 1e30f;
                        Assert.Throws<ArgumentException>(() => cache.Append(keys, values, refused));
                        break;
                    default:
                        int most = Math.Min(random.Next(3) == 0 ? 70 : random.Next(1, 6), 300 - cache.MaxLength);
                        int[] lengths = [.. Enumerable.Range(0, Batch).Select(_ => random.Next(most + 1))];
                        keys = Normal(random, Batch * most * Heads * HeadDim);
                        values = Normal(random, Batch * most * Heads * ValueDim);
                        cache.Append(keys, values, most, lengths);
                        Each(
                            i => keyModels[i].Append(Rows(keys, HeadDim).Skip(i * most).Take(lengths[i])),
                            i => valueModels[i].Append(Rows(values, ValueDim).Skip(i * most).Take(lengths[i])));
                        break;
                }

                for (int i = 0; i < Batch; i++)
                    Check($"seed {seed}, step {step}, sequence {i}", cache, i, keyModels[i], valueModels[i]);

                static void Each(Action<int> ofKeys, Action<int> ofValues)
                {
                    for (int i = 0; i < Batch; i++)
                    {
                        ofKeys(i);
                        ofValues(i);
                    }
                }
            }
        }
    }

    [Fact]
    public static void A_number_that_is_too_large_is_named()
    {
        // The last of three tokens of the second append.
        KeyValueCache cache = Cache(1, 64);
        using KeyValuePagePool pool = Pool(1, 64);
        using var sequence = new PagedSequence(pool);
        float[] keys = new float[3 * Heads * HeadDim], values = new float[3 * Heads * ValueDim];
        cache.Append(keys, values, 2);
        sequence.Append(keys, values, 2);
        keys[(2 * Heads + 1) * HeadDim + 6] = 2_500_000;
        const string Expected = "oken 2, head 1, channel 6 is 2500000: Int4 keeps";
        Assert.Contains(Expected, Assert.Throws<ArgumentException>("keys", () => cache.Append(keys, values, 3)).Message, StringComparison.Ordinal);
        Assert.Contains(Expected, Assert.Throws<ArgumentException>("keys", () => sequence.Append(keys, values, 3)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void Tokens_that_cannot_be_rounded_together_do_not_come_to_be()
    {
        // Two groups, of numbers about −60000 and 900000: either has a scale that a half holds, but not both together, whose range is 15 · 64000 and more.
        KeyValueCache cache = new(1, 64, 1, 32, keyElement: AttentionElement.Int4);
        float[] keys = new float[65 * 32], before = new float[65 * 32], after = new float[65 * 32], values = new float[65 * 32];
        keys.AsSpan(0, 32 * 32).Fill(-65000);
        keys.AsSpan(32 * 32).Fill(60000);
        keys.AsSpan(64 * 32 - 32, 32).Fill(1_000_000);
        cache.Append(keys, values, 65);
        cache.CopyTo(0, 0, 65, before, values);
        ArgumentException error = Assert.Throws<ArgumentException>("tokens", () => cache.Retain(0, 31, [63]));
        Assert.Contains("Token 63, head 0, channel 0 is 1000000", error.Message, StringComparison.Ordinal);
        cache.CopyTo(0, 0, 65, after, values);
        Compare.SameBits("kept", before, after);
        cache.Retain(0, 31, [40]);
        Assert.Equal(32, cache.Lengths[0]);
    }

    [Fact]
    public static void A_refused_retain_leaves_no_trace()
    {
        // Tokens 5 and 40 have numbers that each group can keep, but no group both of them.
        float[] keys = Normal(new Random(9), 67 * 32);
        (keys[5 * 32], keys[40 * 32]) = (-60_000, 930_000);
        KeyValueCache cache = Create(), straight = Create();
        Assert.Throws<ArgumentException>("tokens", () => cache.Retain(0, 6, [40]));
        float[] expected = Finish(straight), actual = Finish(cache);
        Compare.SameBits("keys", expected, actual);

        KeyValueCache Create()
        {
            KeyValueCache created = new(1, 80, 1, 32, keyElement: AttentionElement.Int4);
            created.Append(keys.AsSpan(0, 60 * 32), new float[60 * 32], 60);
            created.Append(keys.AsSpan(60 * 32, 6 * 32), new float[6 * 32], 6);
            return created;
        }

        float[] Finish(KeyValueCache cache)
        {
            float[] kept = new float[61 * 32], values = new float[61 * 32];
            cache.Truncate(60);
            cache.Append(keys.AsSpan(66 * 32), new float[32], 1);
            cache.CopyTo(0, 0, 61, kept, values);
            return kept;
        }
    }

    [Fact]
    public static void Tokens_that_stay_of_the_group_before_are_rounded_from_their_floats()
    {
        var random = new Random(10);
        float[] keys = Normal(random, 34 * Heads * HeadDim), values = Normal(random, 34 * Heads * ValueDim);
        KeyValueCache cache = Cache(1, 64);
        cache.Append(keys, values, 30);
        cache.Append(keys.AsSpan(30 * Heads * HeadDim), values.AsSpan(30 * Heads * ValueDim), 4);
        cache.Retain(0, 20, [21, 22]);
        Int4Model keyModel = new(Heads, HeadDim), valueModel = new(Heads, ValueDim);
        keyModel.Append([.. Rows(keys, HeadDim).Take(20), .. Rows(keys, HeadDim).Skip(21).Take(2)]);
        valueModel.Append([.. Rows(values, ValueDim).Take(20), .. Rows(values, ValueDim).Skip(21).Take(2)]);
        Check("retained", cache, 0, keyModel, valueModel);
    }

    [Theory]
    [InlineData(33, 34, 20)]
    [InlineData(33, 34, 34)]
    [InlineData(30, 33, 31)]
    [InlineData(31, 36, 5)]
    public static void A_choice_among_drafts_leaves_the_group_before(int start, int token, int kept)
    {
        // Of 38 tokens those before one stay, and another; then the sequence goes back to some of these and on with one more: it is rounded as if no others had been there.
        var random = new Random(start);
        float[] keys = Normal(random, 39 * Heads * HeadDim), values = Normal(random, 39 * Heads * ValueDim);
        KeyValueCache cache = Cache(1, 64);
        cache.Append(keys, values, 30);
        cache.Append(keys.AsSpan(30 * Heads * HeadDim), values.AsSpan(30 * Heads * ValueDim), 8);
        cache.Retain(0, start, [token]);
        cache.Truncate(kept);
        cache.Append(keys.AsSpan(38 * Heads * HeadDim), values.AsSpan(38 * Heads * ValueDim), 1);
        int[] left = [.. Enumerable.Range(0, start).Append(token).Take(kept), 38];
        Int4Model keyModel = new(Heads, HeadDim), valueModel = new(Heads, ValueDim);
        keyModel.Append(left.Select(i => Rows(keys, HeadDim).ElementAt(i)));
        valueModel.Append(left.Select(i => Rows(values, ValueDim).ElementAt(i)));
        Check("retained", cache, 0, keyModel, valueModel);
    }

    private static KeyValuePagePool Pool(int pageCount, int pageSize) => new(pageCount, pageSize, Heads, HeadDim, ValueDim, AttentionElement.Int4, AttentionElement.Int4);

    private static KeyValueCache Cache(int batch, int capacity) => new(batch, capacity, Heads, HeadDim, ValueDim, canGrow: true, AttentionElement.Int4, AttentionElement.Int4);

    private static void Check(string what, PagedSequence sequence, Int4Model keyModel, Int4Model valueModel)
    {
        Assert.Equal(keyModel.Length, sequence.Length);
        float[] keys = new float[sequence.Length * Heads * HeadDim], values = new float[sequence.Length * Heads * ValueDim];
        sequence.CopyTo(0, sequence.Length, keys, values);
        Compare.SameBits($"{what}, keys", keyModel.Stored, keys);
        Compare.SameBits($"{what}, values", valueModel.Stored, values);
    }

    private static void Check(string what, KeyValueCache cache, int sequence, Int4Model keyModel, Int4Model valueModel)
    {
        int length = cache.Lengths[sequence];
        Assert.Equal(keyModel.Length, length);
        float[] keys = new float[length * Heads * HeadDim], values = new float[length * Heads * ValueDim];
        cache.CopyTo(sequence, 0, length, keys, values);
        Compare.SameBits($"{what}, keys", keyModel.Stored, keys);
        Compare.SameBits($"{what}, values", valueModel.Stored, values);
    }

    private static IEnumerable<float[]> Rows(float[] numbers, int dim) => numbers.Chunk(Heads * dim);

    private static float[] Normal(Random random, int count)
    {
        var numbers = new float[count];
        RandomData.FillNormal(numbers, random);
        return numbers;
    }
}
