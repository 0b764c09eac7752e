using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Arguments of calls over queries, keys and values side by side.</summary>
public static class QkvArgumentTests
{
    // Tokens of 4·2 + 2·(2 + 3) floats.
    private const int Tokens = 2 * 5, Token = 18, Elements = Tokens * Token, Outputs = Tokens * 4 * 3;

    private static readonly AttentionShape Shape = new(2, 4, 2, 5, 5);

    [Fact]
    public static void Buffer_that_is_too_short_is_refused_and_a_longer_one_accepted()
    {
        foreach (int wrong in (int[])[0, 1, Elements - 1])
            Refused("qkv", Shape, wrong, Outputs);
        foreach (int wrong in (int[])[0, 1, Outputs - 1])
            Refused("output", Shape, Elements, wrong);

        float[] qkv = new float[Elements + 7], output = [.. Enumerable.Repeat(Canary.Value, Outputs + 3)];
        qkv.AsSpan(Elements).Fill(float.NaN);
        ScaledDotProductAttention.ForwardQkv(qkv, output, Shape, 2, valueDim: 3);
        Assert.All(output[..Outputs], static element => Assert.Equal(0, element));
        Assert.All(output[Outputs..], static element => Assert.True(Canary.Is(element)));
    }

    [Fact]
    public static void Shape_of_other_tokens_is_refused()
    {
        Refused("shape", Shape with { KeyLength = 6 }, Elements, Outputs);
        Refused("shape", Shape with { KeyLength = 4 }, Elements, Outputs);
        Refused("shape", Shape with { Layout = (AttentionLayout)7 }, Elements, Outputs);
        Refused("shape", Shape with { Batch = -1 }, Elements, Outputs);
        Refused("shape", Shape with { QueryHeads = 3 }, Elements, Outputs);
    }

    [Fact]
    public static void Starts_that_end_before_they_begin_are_refused()
    {
        float[] qkv = new float[4 * 48], output = new float[4 * 16];
        Assert.Throws<ArgumentOutOfRangeException>("options", () => ScaledDotProductAttention.ForwardQkv(qkv, output, new(1, 1, 4), 16, options: new() { QueryStarts = [0, -4], KeyStarts = [0, -4] }));
        Assert.Throws<ArgumentException>("options", () => ScaledDotProductAttention.ForwardQkv(qkv, output, new(1, 1, 4), 16, options: new() { KeyStarts = [0, 4] }));
        ScaledDotProductAttention.ForwardQkv(default, default, new(0, int.MaxValue, int.MaxValue), 1024);
    }

    [Fact]
    public static void Pages_are_refused()
    {
        float[] qkv = new float[Elements], output = [.. Enumerable.Repeat(Canary.Value, Outputs)];
        foreach (int page in new[] { 0, 7 })
            Assert.Throws<ArgumentException>("options", () => ScaledDotProductAttention.ForwardQkv(qkv, output, Shape, 2, options: new() { KeyPages = new([0, page], 5) }, valueDim: 3));
        Assert.All(output, static element => Assert.True(Canary.Is(element)));
    }

    [Fact]
    public static void Starts_that_differ_are_refused()
    {
        float[] qkv = new float[Elements], output = new float[Outputs];
        Assert.Throws<ArgumentException>("options", () => ScaledDotProductAttention.ForwardQkv(qkv, output, Shape, 2, options: new() { QueryStarts = [0, 2, 5], KeyStarts = [0, 3, 5] }, valueDim: 3));
        Assert.Throws<ArgumentException>("options", () => ScaledDotProductAttention.ForwardQkv(qkv, output, Shape, 2, options: new() { QueryStarts = [0, 2, 5] }, valueDim: 3));
        ScaledDotProductAttention.ForwardQkv(qkv, output, Shape, 2, options: new() { QueryStarts = [0, 2, 5], KeyStarts = [0, 2, 5] }, valueDim: 3);
    }

    private static void Refused(string parameter, AttentionShape shape, int elements, int outputs)
    {
        float[] qkv = new float[elements], output = [.. Enumerable.Repeat(Canary.Value, outputs)];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(2, valueDim: 3);
        foreach (Action call in (Action[])[() => kernel.ForwardQkv(qkv, output, shape), () => ScaledDotProductAttention.ForwardQkv(qkv, output, shape, 2, valueDim: 3)])
            Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
        Assert.All(output, static element => Assert.True(Canary.Is(element)));
    }
}
