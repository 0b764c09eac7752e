using System;
using System.Linq;

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
        foreach ((int dimensions, int headDim, double frequencyBase, int position) in ((int, int, double, int)[])[(2, 2, 10000, 0), (8, 8, 10000, 1), (6, 13, 10000, 100), (32, 64, 500000, 4000), (64, 64, 10000, 7), (22, 30, 17, 3)])
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
    public static void Wrong_arguments_are_refused_by_name()
    {
        foreach (int dimensions in (int[])[0, -2, 1, 7, 1026, int.MinValue])
            Assert.Throws<ArgumentOutOfRangeException>("dimensions", () => new RotaryEmbedding(dimensions));
        foreach (double frequencyBase in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Assert.Throws<ArgumentOutOfRangeException>("frequencyBase", () => new RotaryEmbedding(8, frequencyBase: frequencyBase));
        Assert.Throws<ArgumentOutOfRangeException>("pairing", static () => new RotaryEmbedding(8, (RotaryPairing)2));
        Assert.Throws<ArgumentException>("frequencies", static () => new RotaryEmbedding([]));
        Assert.Throws<ArgumentException>("frequencies", static () => new RotaryEmbedding([1, double.NaN]));
        Assert.Throws<ArgumentException>("frequencies", static () => new RotaryEmbedding(new double[513]));

        var rotary = new RotaryEmbedding(8);
        Assert.Throws<ArgumentException>("heads", () => rotary.Apply(new float[17], 2, 8, 0));
        Assert.Throws<ArgumentOutOfRangeException>("headCount", () => rotary.Apply(new float[16], 0, 8, 0));
        Assert.Throws<ArgumentOutOfRangeException>("headDim", () => rotary.Apply(new float[14], 2, 7, 0));
        Assert.Throws<ArgumentOutOfRangeException>("position", () => rotary.Apply(new float[16], 2, 8, -1));
        Assert.Throws<ArgumentOutOfRangeException>("position", () => rotary.Apply(new float[16], 2, 8, int.MaxValue));
    }
}
