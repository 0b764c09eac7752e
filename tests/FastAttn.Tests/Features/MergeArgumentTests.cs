using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>States that do not fit are not merged; the message names them, and nothing is written.</summary>
public static class MergeArgumentTests
{
    private const int Dim = 8, Rows = 2 * 3 * 4, Elements = Rows * Dim;

    private static readonly AttentionShape Shape = new(2, 3, 4);

    [Fact]
    public static void Buffers_that_are_too_short_are_refused()
    {
        Refuses<ArgumentException>("this", Elements - 1, Rows, Elements, Rows, Shape);
        Refuses<ArgumentException>("this", Elements, Rows - 1, Elements, Rows, Shape);
        Refuses<ArgumentException>("other", Elements, Rows, Elements - 1, Rows, Shape);
        Refuses<ArgumentException>("other", Elements, Rows, Elements, Rows - 1, Shape);
    }

    [Fact]
    public static void Longer_buffers_are_accepted_and_their_rest_is_left_alone()
    {
        float[] output = [.. Enumerable.Repeat(1f, Elements), Canary.Value], logSumExp = [.. new float[Rows], Canary.Value];
        float[] other = [.. Enumerable.Repeat(3f, Elements), .. Enumerable.Repeat(float.NaN, 5)], otherSum = [.. new float[Rows], float.NaN];
        new AttentionOutput(output, logSumExp).Merge(new AttentionOutput(other, otherSum), Shape, Dim);
        Assert.All(output[..Elements], static element => Assert.Equal(2, element));
        Assert.All(logSumExp[..Rows], static sum => Assert.Equal(MathF.Log(2), sum));
        Assert.True(Canary.Is(output[^1]) && Canary.Is(logSumExp[^1]));
    }

    [Fact]
    public static void Sizes_and_strides_that_do_not_fit_are_refused()
    {
        foreach (int dim in (int[])[0, -1, ScaledDotProductAttention.MaxDim + 1])
            Refuses<ArgumentOutOfRangeException>("valueDim", Elements, Rows, Elements, Rows, Shape, dim);
        Refuses<ArgumentOutOfRangeException>("shape", Elements, Rows, Elements, Rows, Shape with { QueryLength = -1 });
        Refuses<ArgumentOutOfRangeException>("this", Elements, Rows, Elements, Rows, Shape, strides: new(-1, 8, 8));
        Refuses<ArgumentException>("this", 1000, Rows, 1000, Rows, Shape, strides: new(100, 30, 7));
        Refuses<ArgumentOutOfRangeException>("other", Elements, Rows, Elements, Rows, Shape, otherStrides: new(-1, 8, 8));
        Refuses<ArgumentException>("other", Elements, Rows, Elements, Rows, Shape, otherStrides: new(96, 32, 9));
    }

    [Fact]
    public static void State_without_a_log_sum_exp_is_refused()
    {
        float[] output = new float[Elements], other = [.. Enumerable.Repeat(1f, Elements)], sums = new float[Rows];
        foreach ((string parameter, Action merge) in ((string, Action)[])[
            ("this", () => new AttentionOutput(output).Merge(new AttentionOutput(other, sums), Shape, Dim)),
            ("this", () => default(AttentionOutput).Merge(new AttentionOutput(other, sums), Shape, Dim)),
            ("other", () => new AttentionOutput(output, sums).Merge(other, Shape, Dim)),
            ("other", () => new AttentionOutput(output, sums).Merge(default, Shape, Dim))])
        {
            ArgumentException error = Assert.Throws<ArgumentException>(parameter, merge);
            Assert.Contains("Has no log-sum-exp", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(output, static element => element != 0);
        }
    }

    [Fact]
    public static void States_that_overlap_are_refused()
    {
        var shared = new float[2 * Elements];
        Assert.Throws<ArgumentException>("other", () => new AttentionOutput(shared.AsSpan(0, Elements), new float[Rows]).Merge(new AttentionOutput(shared.AsSpan(Elements - 1, Elements), new float[Rows]), Shape, Dim));
        Assert.Throws<ArgumentException>("other", () => new AttentionOutput(new float[Elements], shared.AsSpan(0, Rows)).Merge(new AttentionOutput(new float[Elements], shared.AsSpan(Rows - 1, Rows)), Shape, Dim));
        Assert.Throws<ArgumentException>("other", () => new AttentionOutput(shared.AsSpan(0, Elements), new float[Rows]).Merge(new AttentionOutput(new float[Elements], shared.AsSpan(Elements - 1, Rows)), Shape, Dim));
        Assert.Throws<ArgumentException>("other", () => new AttentionOutput(new float[Elements], shared.AsSpan(0, Rows)).Merge(new AttentionOutput(shared.AsSpan(Rows - 1, Elements), new float[Rows]), Shape, Dim));
        Assert.Throws<ArgumentException>("this", () => new AttentionOutput(shared.AsSpan(0, Elements), shared.AsSpan(Elements - 1, Rows)).Merge(new AttentionOutput(new float[Elements], new float[Rows]), Shape, Dim));
        Assert.DoesNotContain(shared, static element => element != 0);
    }

    private static void Refuses<TException>(
        string parameter, int output, int sums, int otherOutput, int otherSums, AttentionShape shape, int dim = Dim, AttentionStrides? strides = null, AttentionStrides? otherStrides = null)
        where TException : ArgumentException
    {
        float[] o = new float[output], lse = new float[sums], other = [.. Enumerable.Repeat(1f, otherOutput)], otherSum = [.. Enumerable.Repeat(1f, otherSums)];
        TException error = Assert.Throws<TException>(() => new AttentionOutput(o, lse, strides).Merge(new AttentionOutput(other, otherSum, otherStrides), shape, dim));
        Assert.Equal(parameter, error.ParamName);
        Assert.DoesNotContain(o.Concat(lse), static element => element != 0);
    }
}
