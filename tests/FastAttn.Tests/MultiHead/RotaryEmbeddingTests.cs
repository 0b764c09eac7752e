using System;
using System.Linq;
using System.Threading.Tasks;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>The rotary embedding against its formula in double.</summary>
public static class RotaryEmbeddingTests
{
    [Theory]
    [InlineData(RotaryPairing.HalfSplit)]
    [InlineData(RotaryPairing.Interleaved)]
    public static void Heads_are_turned_by_their_positions(RotaryPairing pairing)
    {
        const int Tokens = 9, Heads = 3;
        foreach ((int dimensions, int headDim, double frequencyBase, int position) in ((int, int, double, int)[])[(2, 2, 10000, 0), (8, 8, 10000, 1), (6, 13, 10000, 100), (32, 64, 500000, 4000), (64, 64, 10000, 7), (22, 30, 17, 3), (64, 64, 10000, 1_000_000), (8, 8, 10000, 2_000_000_000)])
        {
            float[] heads = MultiHead.Tokens.Normal(Tokens * Heads * headDim);
            double[] exact = MultiHead.Tokens.Exact(heads);
            for (int row = 0; row < Tokens * Heads; row++)
                NaiveRotary.Turn(exact.AsSpan(row * headDim, headDim), dimensions, pairing, frequencyBase, position + row / Heads);

            new RotaryEmbedding(dimensions, pairing, frequencyBase).Apply(heads, Heads, headDim, position);

            // Cosine and sine round to float32, then two products and a sum: at most 2^−24·(|x| + |y|)·2.5, and |x|, |y| < 6.
            Assert.All(heads.Zip(exact), static pair => Assert.InRange(pair.First - pair.Second, -2e-6, 2e-6));
        }
    }

    [Fact]
    public static void Elements_past_the_turned_ones_keep_their_bits()
    {
        float[] heads = Tokens.Normal(5 * 11), before = [.. heads];
        new RotaryEmbedding(6).Apply(heads, headCount: 1, headDim: 11, position: 1000);
        for (int token = 0; token < 5; token++)
            Compare.SameBits($"token {token}", before.AsSpan(token * 11 + 6, 5), heads.AsSpan(token * 11 + 6, 5));
    }

    [Fact]
    public static void Own_frequencies_take_the_place_of_the_base()
    {
        float[] expected = Tokens.Normal(3 * 8), actual = [.. expected];
        new RotaryEmbedding(8, RotaryPairing.Interleaved, 100).Apply(expected, 1, 8, 5);
        new RotaryEmbedding([1, Math.Pow(100, -0.25), Math.Pow(100, -0.5), Math.Pow(100, -0.75)], RotaryPairing.Interleaved).Apply(actual, 1, 8, 5);
        Compare.SameBits("frequencies", expected, actual);
    }

    [Fact]
    public static void Factor_scales_the_turned_elements_alone()
    {
        // YaRN's for contexts 16 times as long, with 6 of 11 elements turned.
        double factor = 0.1 * Math.Log(16) + 1;
        float[] plain = Tokens.Normal(5 * 11), scaled = [.. plain];
        new RotaryEmbedding(6).Apply(plain, headCount: 1, headDim: 11, position: 1000);
        new RotaryEmbedding(6, attentionFactor: factor).Apply(scaled, headCount: 1, headDim: 11, position: 1000);
        for (int i = 0; i < plain.Length; i++)
        {
            // Cosine and sine times the factor round once, as without; so do products and sums: 2^−24·(|x| + |y|)·5, and |x|, |y| < 6.
            if (i % 11 < 6)
                Assert.InRange(scaled[i] - plain[i] * factor, -4e-6, 4e-6);
            else
                Assert.Equal(plain[i], scaled[i]);
        }
    }

    [Fact]
    public static void Kept_and_computed_positions_are_cosine_and_sine_in_double_rounded_once()
    {
        // Around the end of the table, and far from it. Turning (1, 0) gives the cosine and the sine to the bit.
        double[] frequencies = [1, 0.123, 3e-5];
        var rotary = new RotaryEmbedding(frequencies, RotaryPairing.Interleaved, attentionFactor: 1.5);
        foreach (int first in (int[])[0, 15, 32_760, 1_000_000, int.MaxValue - 15])
        {
            float[] heads = [.. Enumerable.Repeat((float[])[1, 0, 1, 0, 1, 0], 16).SelectMany(static x => x)];
            rotary.Apply(heads, headCount: 1, headDim: 6, first);
            float[] expected =
            [
                .. from token in Enumerable.Range(0, 16)
                   from frequency in frequencies
                   let angle = (first + token) * frequency
                   from number in (double[])[Math.SinCos(angle).Cos, Math.SinCos(angle).Sin]
                   select (float)(number * 1.5),
            ];
            Compare.SameBits($"positions from {first}", expected, heads);
        }
    }

    [Fact]
    public static void Far_positions_take_no_memory()
    {
        var rotary = new RotaryEmbedding(64);
        float[] heads = Tokens.Normal(3 * 64);
        long before = GC.GetAllocatedBytesForCurrentThread();
        rotary.Apply(heads, 1, 64, 1_000_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        // Near ones take some rows, not all before them: 30,000 would be 7.7 MB.
        rotary.Apply(heads, 1, 64, 30_000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 20_000);
    }

    [Fact]
    public static void Each_token_is_turned_by_its_own_position()
    {
        int[] positions = [7, 0, 50_000, 7];
        float[] expected = Tokens.Normal(4 * 2 * 8), actual = [.. expected];
        var rotary = new RotaryEmbedding(6);
        for (int token = 0; token < 4; token++)
            rotary.Apply(expected.AsSpan(token * 16, 16), 2, 8, positions[token]);
        rotary.Apply(actual, 2, 8, positions);
        Compare.SameBits("positions", expected, actual);
    }

    [Theory]
    [InlineData(RotaryPairing.HalfSplit)]
    [InlineData(RotaryPairing.Interleaved)]
    public static void Each_pair_is_turned_by_the_position_on_its_axis(RotaryPairing pairing)
    {
        // Two tokens on three axes: Qwen2-VL's order of sections, then Qwen3-VL's by turns.
        int[] positions = [3, 5, 1000, 40_000, 2, 0];
        foreach (int[] axes in (int[][])[[0, 0, 1, 1, 2], [0, 1, 2, 0, 1]])
        {
            float[] heads = Tokens.Normal(2 * 3 * 12);
            double[] exact = Tokens.Exact(heads);
            for (int row = 0; row < 6; row++)
                NaiveRotary.Turn(exact.AsSpan(row * 12, 12), 10, pairing, 10000, i => positions[axes[i] * 2 + row / 3], 1);
            RotaryEmbedding rotary = new(10, pairing, axes: axes);
            rotary.Apply(heads, 3, 12, positions);

            // As in Heads_are_turned_by_their_positions.
            Assert.All(heads.Zip(exact), static pair => Assert.InRange(pair.First - pair.Second, -2e-6, 2e-6));
            Assert.Equal(3, rotary.Axes);
        }
    }

    [Fact]
    public static void Threads_that_meet_positions_at_once_turn_alike()
    {
        float[] expected = Tokens.Normal(200 * 16);
        float[][] actual = [.. Enumerable.Range(0, 8).Select(_ => expected.ToArray())];
        new RotaryEmbedding(16).Apply(expected, 1, 16, 32_700);
        var shared = new RotaryEmbedding(16);
        Parallel.ForEach(actual, heads => shared.Apply(heads, 1, 16, 32_700));
        Assert.All(actual, heads => Compare.SameBits("at once", expected, heads));
    }

    [Fact]
    public static void Wrong_arguments_are_refused_by_name()
    {
        foreach (int dimensions in (int[])[0, -2, 1, 7, 1026, int.MinValue])
            Assert.Throws<ArgumentOutOfRangeException>("dim", () => new RotaryEmbedding(dimensions));
        foreach (double frequencyBase in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Assert.Throws<ArgumentOutOfRangeException>("frequencyBase", () => new RotaryEmbedding(8, frequencyBase: frequencyBase));
        Assert.Throws<ArgumentOutOfRangeException>("pairing", static () => new RotaryEmbedding(8, (RotaryPairing)2));
        Assert.Throws<ArgumentException>("frequencies", static () => new RotaryEmbedding([]));
        Assert.Throws<ArgumentException>("frequencies", static () => new RotaryEmbedding([1, double.NaN]));
        Assert.Throws<ArgumentException>("frequencies", static () => new RotaryEmbedding(new double[513]));

        foreach (double factor in (double[])[0, -1, double.NaN, double.PositiveInfinity, 1e39])
            Assert.Throws<ArgumentOutOfRangeException>("attentionFactor", () => new RotaryEmbedding(8, attentionFactor: factor));
        Assert.Throws<ArgumentException>("axes", static () => new RotaryEmbedding(8, axes: [0, 1, 2]));
        Assert.Throws<ArgumentOutOfRangeException>("axes", static () => new RotaryEmbedding(8, axes: [0, 1, 2, 4]));
        Assert.Throws<ArgumentOutOfRangeException>("axes", static () => new RotaryEmbedding(8, axes: [0, 1, 2, -1]));

        var rotary = new RotaryEmbedding(8);
        Assert.Throws<ArgumentException>("positions", () => rotary.Apply(new float[32], 2, 8, [1]));
        Assert.Throws<ArgumentException>("positions", () => rotary.Apply(new float[32], 2, 8, [1, 2, 3]));
        Assert.Throws<ArgumentOutOfRangeException>("positions", () => rotary.Apply(new float[32], 2, 8, [1, -1]));
        Assert.Throws<ArgumentException>("heads", () => rotary.Apply(new float[17], 2, 8, 0));
        Assert.Throws<ArgumentOutOfRangeException>("headCount", () => rotary.Apply(new float[16], 0, 8, 0));
        Assert.Throws<ArgumentOutOfRangeException>("headDim", () => rotary.Apply(new float[14], 2, 7, 0));
        Assert.Throws<ArgumentOutOfRangeException>("position", () => rotary.Apply(new float[16], 2, 8, -1));
        Assert.Throws<ArgumentOutOfRangeException>("position", () => rotary.Apply(new float[32], 2, 8, int.MaxValue));
    }
}
