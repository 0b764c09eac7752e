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
        float[] attended = new float[output.Length];
        cache.Attend(query, attended, queryHeads: 4, queryLength: 1, AttentionMask.None);
        Compare.SameBits("attended", output, attended);

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

    /// <summary>Prompts of different lengths, then two tokens more for each: what the queries see does not have to be said.</summary>
    [Theory]
    [InlineData(AttentionLayout.BatchHeadLengthDim)]
    [InlineData(AttentionLayout.BatchLengthHeadDim)]
    public static void Queries_of_a_cache_are_the_last_tokens_of_their_sequences(AttentionLayout layout)
    {
        const int QueryHeads = 4, Length = 30;
        int[] lengths = [30, 11];
        var random = new Random(5);
        KeyValueCache cache = new(2, 8, Heads, HeadDim, ValueDim, canGrow: true);
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(HeadDim, AttentionMask.Causal, AttentionFeatures.Lengths, ValueDim);
        float[][] keys = [[], []], values = [[], []];

        Append(Length, lengths);
        Check(Length, lengths);
        Append(2, [2, 2]);
        Check(2, []);

        void Append(int length, int[] counts)
        {
            float[] newKeys = Normal(2 * length * Heads * HeadDim), newValues = Normal(2 * length * Heads * ValueDim);
            cache.Append(newKeys, newValues, length, counts);
            for (int b = 0; b < 2; b++)
            {
                keys[b] = [.. keys[b], .. newKeys.AsSpan(b * length * Heads * HeadDim, counts[b] * Heads * HeadDim)];
                values[b] = [.. values[b], .. newValues.AsSpan(b * length * Heads * ValueDim, counts[b] * Heads * ValueDim)];
            }
        }

        void Check(int length, int[] queryLengths)
        {
            float[] query = Normal(2 * length * QueryHeads * HeadDim), output = new float[2 * length * QueryHeads * ValueDim], same = new float[output.Length];
            cache.Attend(query, output, QueryHeads, length, options: new() { QueryLengths = queryLengths }, layout: layout);
            cache.Attend(kernel, query, same, QueryHeads, length, new() { QueryLengths = queryLengths }, layout);
            Compare.SameBits("declared kernel", output, same);
            for (int b = 0; b < 2; b++)
            {
                // A query of its sequence alone sees the keys up to its own, and no mask is needed for that.
                int count = queryLengths.Length > 0 ? queryLengths[b] : length, stored = cache.Lengths[b];
                for (int h = 0; h < QueryHeads; h++)
                {
                    for (int i = 0; i < count; i++)
                    {
                        int row = layout == AttentionLayout.BatchHeadLengthDim ? (b * QueryHeads + h) * length + i : (b * length + i) * QueryHeads + h;
                        int seen = stored - count + i + 1, head = h / (QueryHeads / Heads);
                        double[] expected = Formula(query.AsSpan(row * HeadDim, HeadDim), keys[b], values[b], head, seen);
                        for (int c = 0; c < ValueDim; c++)
                            Assert.Equal(expected[c], output[row * ValueDim + c], 1e-5);
                    }
                }
            }
        }

        static double[] Formula(ReadOnlySpan<float> query, float[] keys, float[] values, int head, int seen)
        {
            var weights = new double[seen];
            for (int j = 0; j < seen; j++)
            {
                for (int t = 0; t < HeadDim; t++)
                    weights[j] += (double)query[t] * keys[(j * Heads + head) * HeadDim + t];
                weights[j] = Math.Exp(weights[j] / Math.Sqrt(HeadDim));
            }

            var output = new double[ValueDim];
            double sum = 0;
            for (int j = 0; j < seen; j++)
            {
                sum += weights[j];
                for (int c = 0; c < ValueDim; c++)
                    output[c] += weights[j] * values[(j * Heads + head) * ValueDim + c];
            }

            return Array.ConvertAll(output, number => number / sum);
        }

        float[] Normal(int count)
        {
            var numbers = new float[count];
            RandomData.FillNormal(numbers, random);
            return numbers;
        }
    }

    [Fact]
    public static void Attention_over_a_cache_refuses_what_does_not_fit_it()
    {
        KeyValueCache cache = new(2, 8, Heads, HeadDim);
        cache.Append(new float[2 * 5 * Heads * HeadDim], new float[2 * 5 * Heads * HeadDim], 5, [5, 3]);
        float[] query = new float[2 * 4 * 4 * HeadDim], output = new float[query.Length];
        Array.Fill(output, Canary.Value);

        Assert.Throws<ArgumentOutOfRangeException>("queryHeads", () => cache.Attend(query, output, queryHeads: 3, queryLength: 1));
        Assert.Throws<ArgumentOutOfRangeException>("queryHeads", () => cache.Attend(query, output, queryHeads: 0, queryLength: 1));
        Assert.Throws<ArgumentOutOfRangeException>("queryLength", () => cache.Attend(query, output, queryHeads: 4, queryLength: -1));
        Assert.Throws<ArgumentOutOfRangeException>("layout", () => cache.Attend(query, output, queryHeads: 4, queryLength: 1, layout: (AttentionLayout)7));
        Assert.Throws<ArgumentException>("options", () => cache.Attend(query, output, queryHeads: 4, queryLength: 1, options: new() { KeyLengths = [5, 3] }));
        Assert.Throws<ArgumentException>("query", () => cache.Attend(query.AsSpan(0, 2 * 4 * 3 * HeadDim - 1), output, queryHeads: 4, queryLength: 3));
        Assert.Throws<ArgumentNullException>("kernel", () => cache.Attend(null!, query, output, queryHeads: 4, queryLength: 1));
        Assert.Throws<ArgumentException>("kernel", () => cache.Attend(ScaledDotProductAttention.GetKernel(64, AttentionMask.Causal, AttentionFeatures.Lengths), query, output, queryHeads: 4, queryLength: 1));
        Assert.Throws<ArgumentException>("options", () => cache.Attend(ScaledDotProductAttention.GetKernel(HeadDim, AttentionMask.Causal), query, output, queryHeads: 4, queryLength: 1));

        // The second sequence has three tokens: four queries cannot be its last ones.
        Assert.Throws<ArgumentException>("options", () => cache.Attend(query, output, queryHeads: 4, queryLength: 4));
        Assert.All(output, static number => Assert.True(Canary.Is(number)));
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
