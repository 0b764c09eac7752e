using System;
using System.Linq;

using Xunit;

namespace FastAttn.Tests.Primitives;

/// <summary>What functions of rows refuse, by the parameter's name and before anything is written.</summary>
public static class LayerPrimitivesArgumentTests
{
    private const int Dim = 4;

    [Fact]
    public static void Buffers_that_are_too_short_are_refused()
    {
        float[] two = Ones(2 * Dim), one = Ones(2 * Dim - 1), weight = Ones(Dim);
        Refuses("input", () => LayerPrimitives.LayerNorm(one, weight, weight, two, 2, 0), one, two);
        Refuses("output", () => LayerPrimitives.LayerNorm(two, weight, weight, one, 2, 0), one, two);
        Refuses("residual", () => LayerPrimitives.LayerNorm(two, weight, weight, two, 2, 0, one), one, two);
        Refuses("bias", () => LayerPrimitives.LayerNorm(two, weight, Ones(Dim - 1), two, 2, 0), one, two);
        Refuses("bias", () => LayerPrimitives.LayerNorm(two, weight, Ones(Dim + 1), two, 2, 0), one, two);
        Refuses("weight", () => LayerPrimitives.LayerNorm(two, default, default, two, 2, 0), one, two);
        Refuses("input", () => LayerPrimitives.RmsNorm(one, weight, two, 2, 0), one, two);
        Refuses("output", () => LayerPrimitives.RmsNorm(two, weight, one, 2, 0), one, two);
        Refuses("residual", () => LayerPrimitives.RmsNorm(two, weight, two, 2, 0, one), one, two);
        Refuses("weight", () => LayerPrimitives.RmsNorm(two, default, two, 2, 0), one, two);
        Refuses("residual", () => LayerPrimitives.AddRmsNorm(two, one, weight, Ones(2 * Dim), 2, 0), one, two);
        Refuses("residual", () => LayerPrimitives.AddLayerNorm(two, default, weight, default, Ones(2 * Dim), 2, 0), one, two);
        Refuses("input", () => LayerPrimitives.Softmax(one, two, 2, Dim), one, two);
        Refuses("output", () => LayerPrimitives.Softmax(two, one, 2, Dim), one, two);
        Refuses("output", () => LayerPrimitives.Gelu(two, one), one, two);
        Refuses("output", () => LayerPrimitives.SiluMultiply(two, two, one), one, two);
        Refuses("up", () => LayerPrimitives.SiluMultiply(two, one, two), one, two);
    }

    [Fact]
    public static void Sizes_beyond_any_buffer_are_refused()
    {
        float[] row = Ones(Dim);
        Refuses("input", () => LayerPrimitives.RmsNorm(row, row, Ones(Dim), int.MaxValue, 0), row);
        Refuses("input", () => LayerPrimitives.Softmax(row, row, int.MaxValue, int.MaxValue), row);
    }

    [Fact]
    public static void Numbers_out_of_range_are_refused()
    {
        float[] row = Ones(Dim), weight = Ones(Dim);
        Refuses("rows", () => LayerPrimitives.LayerNorm(row, weight, default, row, -1, 0), row);
        Refuses("rows", () => LayerPrimitives.Softmax(row, row, -1, Dim), row);
        Refuses("dim", () => LayerPrimitives.Softmax(row, row, 1, 0), row);
        foreach (float epsilon in (float[])[-1e-6f, float.NaN, float.PositiveInfinity])
        {
            Refuses("epsilon", () => LayerPrimitives.LayerNorm(row, weight, default, row, 1, epsilon), row);
            Refuses("epsilon", () => LayerPrimitives.AddRmsNorm(row, Ones(Dim), weight, row, 1, epsilon), row);
        }

        Refuses("weightOffset", () => LayerPrimitives.RmsNorm(row, weight, row, 1, 0, weightOffset: float.NaN), row);
        AttentionExecution execution = new() { MaxDegreeOfParallelism = -2 };
        Refuses("execution", () => LayerPrimitives.LayerNorm(row, weight, default, row, 1, 0, execution: execution), row);
        Refuses("execution", () => LayerPrimitives.Softmax(row, row, 1, Dim, execution), row);
        Refuses("execution", () => LayerPrimitives.Silu(row, row, execution), row);
        Refuses("execution", () => LayerPrimitives.GeluMultiply(row, weight, row, execution), row);
    }

    [Fact]
    public static void Partial_overlaps_are_refused()
    {
        float[] all = Ones(4 * Dim), other = Ones(2 * Dim), weight = Ones(Dim);
        Refuses("output", () => LayerPrimitives.LayerNorm(all.AsSpan(0, 2 * Dim), weight, default, all.AsSpan(1), 2, 0), all);
        Refuses("output", () => LayerPrimitives.RmsNorm(all.AsSpan(1), weight, all.AsSpan(0), 2, 0), all);
        Refuses("output", () => LayerPrimitives.RmsNorm(other, weight, all.AsSpan(Dim), 2, 0, all.AsSpan(0, 2 * Dim)), all);
        Refuses("output", () => LayerPrimitives.RmsNorm(other, all.AsSpan(0, Dim), all, 2, 0), all);
        Refuses("output", () => LayerPrimitives.LayerNorm(other, weight, all.AsSpan(Dim, Dim), all, 2, 0), all);
        Refuses("output", () => LayerPrimitives.Softmax(all.AsSpan(1), all, 2, Dim), all);
        Refuses("output", () => LayerPrimitives.Gelu(all.AsSpan(0, Dim), all.AsSpan(1)), all);
        Refuses("output", () => LayerPrimitives.SiluMultiply(other, all.AsSpan(1), all), all);

        // Both are written, so they must not be the same floats either.
        Refuses("output", () => LayerPrimitives.AddRmsNorm(other, all, weight, all, 2, 0), all);
        Refuses("residual", () => LayerPrimitives.AddRmsNorm(all, all, weight, other, 2, 0), all);
        Refuses("residual", () => LayerPrimitives.AddLayerNorm(other, all, all.AsSpan(0, Dim), default, Ones(2 * Dim), 2, 0), all);
        Refuses("residual", () => LayerPrimitives.AddLayerNorm(other, all, weight, all.AsSpan(0, Dim), Ones(2 * Dim), 2, 0), all);
    }

    [Fact]
    public static void What_is_not_needed_may_overlap()
    {
        float[] all = Ones(3 * Dim);
        LayerPrimitives.Gelu(all.AsSpan(0, Dim), all.AsSpan(Dim));
        LayerPrimitives.RmsNorm(all, Ones(Dim), all.AsSpan(Dim), 1, 0);
        Assert.Equal(Ones(Dim), all.AsSpan(Dim, Dim).ToArray());
    }

    private static void Refuses(string name, Action call, params float[][] buffers)
    {
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(call);
        Assert.Equal(name, error.ParamName);
        Assert.All(buffers, static buffer => Assert.All(buffer, static x => Assert.Equal(1, x)));
    }

    private static float[] Ones(int count) => [.. Enumerable.Repeat(1f, count)];
}
