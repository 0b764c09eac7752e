using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>A cache of one piece with kernels, without a layer.</summary>
public static class KeyValueCacheKernelTests
{
    private const int Heads = 2, HeadDim = 32, ValueDim = 64;

    [Theory]
    [InlineData(PagedFormat.Float32)]
    [InlineData(PagedFormat.Float16)]
    [InlineData(PagedFormat.BFloat16)]
    [InlineData(PagedFormat.Int8PerToken)]
    [InlineData(PagedFormat.Int8PerChannel)]
    [InlineData(PagedFormat.Int8Groups)]
    [InlineData(PagedFormat.Int4Groups)]
    [InlineData(PagedFormat.Int4PerChannel)]
    public static void Attention_over_a_cache_is_that_over_its_tokens(PagedFormat format)
    {
        // Two sequences of 30 and 11 tokens, then one more each; the cache grows on the way. Turned keys are those that the embedding turns.
        int[] lengths = [30, 11];
        var rotary = new RotaryEmbedding(16);
        var random = new Random(3);
        float[] keys = Normal(2 * 30 * Heads * HeadDim), values = Normal(2 * 30 * Heads * ValueDim), nextKeys = Normal(2 * Heads * HeadDim), nextValues = Normal(2 * Heads * ValueDim);
        float[] query = Normal(2 * 4 * HeadDim), output = new float[2 * 4 * ValueDim], alone = new float[4 * ValueDim];


        // Numbers beyond ±2.54 are cut off, as few are.
        float[] keyScales = format == PagedFormat.Int8PerChannel ? Scales(HeadDim) : [], valueScales = format == PagedFormat.Int8PerChannel ? Scales(ValueDim) : [];
        KeyValueCache cache = new(2, 8, Heads, HeadDim, ValueDim, canGrow: true, format.Element, format.Element, keyScales, valueScales);
        Assert.Equal((Heads, HeadDim, ValueDim, format.Element, format.Element, 0), (cache.KeyValueHeads, cache.HeadDim, cache.ValueDim, cache.KeyElement, cache.ValueElement, cache.MaxLength));
        float[] given = [.. keys];
        cache.Append(keys, values, 30, lengths, rotary);
        cache.Append(nextKeys, nextValues, 1, rotary: rotary);
        Compare.SameBits("given keys", given, keys);
        Assert.Equal((31, 31, 12), (cache.MaxLength, cache.Lengths[0], cache.Lengths[1]));
        ScaledDotProductAttention.Forward(query, cache.Keys, cache.Values, output, new(2, 4, Heads, 1, 31), HeadDim, valueDim: ValueDim, options: new() { KeyLengths = cache.Lengths });

        for (int b = 0; b < 2; b++)
        {
            int length = lengths[b];
            float[] ownKeys = [.. keys.AsSpan(b * 30 * Heads * HeadDim, length * Heads * HeadDim), .. nextKeys.AsSpan(b * Heads * HeadDim, Heads * HeadDim)];
            float[] ownValues = [.. values.AsSpan(b * 30 * Heads * ValueDim, length * Heads * ValueDim), .. nextValues.AsSpan(b * Heads * ValueDim, Heads * ValueDim)];
            rotary.Apply(ownKeys, Heads, HeadDim, position: 0);
            ScaledDotProductAttention.Forward(
                query.AsSpan(b * 4 * HeadDim),
                PagedFormats.Stored(ownKeys, format, Heads, HeadDim, keyScales),
                PagedFormats.Stored(ownValues, format, Heads, ValueDim, valueScales),
                alone,
                new(1, 4, Heads, 1, length + 1),
                HeadDim,
                valueDim: ValueDim);
            Compare.SameBits($"sequence {b}", alone, output.AsSpan(b * alone.Length, alone.Length));
        }

        static float[] Scales(int dim)
        {
            var scales = new float[Heads * dim];
            for (int i = 0; i < scales.Length; i++)
                scales[i] = 0.02f + i * 1e-4f;
            return scales;
        }

        float[] Normal(int count)
        {
            var numbers = new float[count];
            RandomData.FillNormal(numbers, random);
            return numbers;
        }
    }

    [Fact]
    public static void Scales_of_channels_round_what_is_appended_and_must_fit()
    {
        // Scales of 1/2 and 2: 3 is 6 and 1.5, rounded to 2; 100 is cut off at 127/2.
        const AttentionElement Int8 = AttentionElement.Int8;
        KeyValueCache cache = new(2, 1, 1, 2, keyElement: Int8, keyScales: [0.5f, 2]), same = new(1, 0, 1, 2, keyElement: Int8, keyScales: [0.5f, 2]);
        cache.Append((float[])[3, 3, 100, 100], new float[4], 1);
        float[] keys = new float[2], values = new float[2];
        cache.CopyTo(0, 0, 1, keys, values);
        Assert.Equal([3, 4], keys);
        cache.CopySequence(1, same, 0);
        same.CopyTo(0, 0, 1, keys, values);
        Assert.Equal([63.5f, 100], keys);

        Refused("destination", () => cache.CopySequence(0, new KeyValueCache(1, 1, 1, 2, keyElement: Int8), 0));
        Refused("destination", () => cache.CopySequence(0, new KeyValueCache(1, 1, 1, 2, keyElement: Int8, keyScales: [0.5f, 1]), 0));
        Refused("keyScales", static () => _ = new KeyValueCache(1, 1, 1, 2, keyElement: Int8, keyScales: [1]));
        Refused("keyScales", static () => _ = new KeyValueCache(1, 1, 1, 2, keyScales: [1, 1]));
        Refused("valueScales", static () => _ = new KeyValueCache(1, 1, 1, 2, valueElement: Int8, valueScales: [1, float.NaN]));

        static void Refused(string parameter, Action call) => Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
    }

    [Fact]
    public static void Appends_that_do_not_fit_are_refused_and_change_nothing()
    {
        KeyValueCache cache = new(2, 4, Heads, HeadDim, ValueDim, canGrow: false, AttentionElement.Int8, AttentionElement.Int8Group32);
        float[] keys = new float[2 * 3 * Heads * HeadDim], values = new float[2 * 3 * Heads * ValueDim];
        Refused("length", () => cache.Append(keys, values, -1));
        Refused("keys", () => cache.Append(keys.AsSpan(1), values, 3));
        Refused("values", () => cache.Append(keys, values.AsSpan(1), 3));
        Refused("keys", () => cache.Append(keys, values, int.MaxValue));
        Refused("lengths", () => cache.Append(keys, values, 3, [3]));
        Refused("lengths", () => cache.Append(keys, values, 3, [3, 4]));
        Refused("lengths", () => cache.Append(keys, values, 3, [3, -1]));
        Refused("rotary", () => cache.Append(keys, values, 3, rotary: new RotaryEmbedding(34)));
        keys[HeadDim] = float.PositiveInfinity;
        Refused("keys", () => cache.Append(keys, values, 3));
        (keys[HeadDim], values[^1]) = (0, float.NaN);
        Refused("values", () => cache.Append(keys, values, 3));
        values[^1] = 1e30f;
        Refused("values", () => cache.Append(keys, values, 3));

        // What is not appended is not looked at.
        cache.Append(keys, values, 3, [3, 2]);
        Assert.Equal([3, 2], cache.Lengths.ToArray());
        values[^1] = 0;
        Assert.Throws<InvalidOperationException>(() => cache.Append(keys, values, 3));
        Assert.Equal([3, 2], cache.Lengths.ToArray());

        void Refused(string parameter, Action call)
        {
            Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
            Assert.Equal([0, 0], cache.Lengths.ToArray());
        }
    }
}
