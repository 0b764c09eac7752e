using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The reference against what pencil and paper give.</summary>
public static class ReferenceTests
{
    // Sums of a few doubles.
    private const double Tolerance = 1e-14;

    [Fact]
    public static void Lengths_of_a_ragged_shape_are_mere_bounds()
    {
        float[] tokens = [1, 2, 3, 4];
        var output = new double[4];
        AttentionReference.Forward<double>(tokens, tokens, tokens, output, new(1, 1, 1, int.MaxValue, int.MaxValue), 1, options: new() { QueryStarts = [0, 4], KeyStarts = [0, 4] });
        var square = new double[4];
        AttentionReference.Forward<double>(tokens, tokens, tokens, square, new(1, 1, 4), 1);
        Assert.Equal(square, output);
        AttentionReference.Forward<double>(default, default, default, default, new(0, 1, 1, 5, int.MaxValue), 16);
    }

    [Fact]
    public static void One_key_gives_its_value_and_its_logit()
    {
        (double[] output, double[] logSumExp) = Attend([2, 1, 0, -1], [3, 5, 7, 11], [0.25f, -8, 1e6f, 4], new(1, 1, 1));
        Assert.Equal([0.25, -8, 1e6, 4], output);
        Assert.Equal((2 * 3 + 1 * 5 - 1 * 11) / 2.0, logSumExp[0], Tolerance);
    }

    [Fact]
    public static void Equal_keys_give_the_mean_of_their_values()
    {
        (double[] output, double[] logSumExp) = Attend([1, 2, 3, 4], [.. Enumerable.Repeat(1f, 12)], [1, 0, 3, 5, 2, 0, 3, 5, 6, 3, 3, -10], new(1, 1, 1, 1, 3));
        Assert.Equal([3.0, 1.0, 3.0, 0.0], output.Select(static value => Math.Round(value, 14)));
        Assert.Equal(10 / 2.0 + Math.Log(3), logSumExp[0], Tolerance);
    }

    [Fact]
    public static void Weights_are_powers_of_e()
    {
        // Logits 0 and 1 with a scale of 1.
        (double[] output, double[] logSumExp) = Attend([1, 0, 0, 0], [0, 9, 9, 9, 1, 9, 9, 9], [1, 0, 0, 0, 0, 1, 0, 0], new(1, 1, 1, 1, 2), options: new() { Scale = 1 });
        Assert.Equal(1 / (1 + Math.E), output[0], Tolerance);
        Assert.Equal(Math.E / (1 + Math.E), output[1], Tolerance);
        Assert.Equal(Math.Log(1 + Math.E), logSumExp[0], Tolerance);
    }

    /// <summary>Values that name their key, and equal keys: the output is the mean number of the keys seen.</summary>
    [Theory]
    [InlineData(null, new[] { 0.5, 1, 1.5 })]
    [InlineData(0, new[] { 0, 0.5, 1 })]
    [InlineData(-1, new[] { 0, 0, 0.5 })]
    [InlineData(2, new[] { 1, 1.5, 1.5 })]
    [InlineData(int.MaxValue, new[] { 1.5, 1.5, 1.5 })]
    [InlineData(int.MinValue, new double[] { 0, 0, 0 })]
    public static void Causal_query_sees_the_keys_up_to_its_diagonal(int? offset, double[] expected)
    {
        var output = new double[3];
        var logSumExp = new double[3];
        AttentionReference.Forward<double>(new float[3], new float[4], (float[])[0, 1, 2, 3], output, new(1, 1, 1, 3, 4), 1, AttentionMask.Causal, new() { PositionOffset = offset }, logSumExp);
        Assert.Equal(expected, output.Select(static value => Math.Round(value, 14)));
        Assert.Equal(offset is -1 or int.MinValue, double.IsNegativeInfinity(logSumExp[0]));
    }

    [Fact]
    public static void Query_heads_of_a_group_read_its_key_value_head()
    {
        // Values that name their batch and head.
        var call = new Case(1, 1, AttentionMask.None, new(2, 6, 2, 1, 1));
        Outputs<double> exact = call.Reference(new(new float[12], new float[4], [0, 1, 10, 11]));
        Assert.Equal([0, 0, 0, 1, 1, 1, 10, 10, 10, 11, 11, 11], exact.Output);
    }

    private static (double[] Output, double[] LogSumExp) Attend(float[] query, float[] key, float[] value, AttentionShape shape, AttentionOptions options = default)
    {
        var output = new double[4];
        var logSumExp = new double[1];
        AttentionReference.Forward<double>(query, key, value, output, shape, 4, options: options, logSumExp: logSumExp);
        return (output, logSumExp);
    }
}
