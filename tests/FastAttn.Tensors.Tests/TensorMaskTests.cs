using System;
using System.Buffers;
using System.Linq;
using System.Numerics.Tensors;

using FastAttn.Tensors.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tensors.Tests;

/// <summary>A mask of any rank, broadcast and at any strides, gives the bits of the same mask written out for each batch, head, query and key.</summary>
public static class TensorMaskTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void Additive_masks_broadcast(int seed)
    {
        var random = new Random(seed);
        Case drawn = Case.Draw(random);
        Buffer<float> mask = Draw(random, drawn, float.NaN, () => random.Next(4) == 0 ? float.NegativeInfinity : random.NextSingle());
        (float[] output, float[] logSumExp) = drawn.Expected(new() { AdditiveMask = WrittenOut(mask, drawn) });

        Run(drawn, new() { AdditiveMask = TensorMask.Additive(mask.Span) });

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void Boolean_masks_broadcast(int seed)
    {
        var random = new Random(seed);
        Case drawn = Case.Draw(random);
        Buffer<bool> mask = Draw(random, drawn, mark: true, () => random.Next(3) != 0);
        (float[] output, float[] logSumExp) = drawn.Expected(new() { BooleanMask = WrittenOut(mask, drawn) });

        Run(drawn, new() { BooleanMask = TensorMask.Boolean(mask.Span) });

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void Masks_of_bytes_broadcast(int seed)
    {
        var random = new Random(seed);
        Case drawn = Case.Draw(random);
        Buffer<byte> mask = Draw(random, drawn, mark: (byte)1, () => (byte)(random.Next(3) == 0 ? 0 : random.Next(1, 256)));
        (float[] output, float[] logSumExp) = drawn.Expected(new() { BooleanMask = WrittenOut(mask, drawn) });

        Run(drawn, new() { BooleanMask = TensorMask.Boolean(mask.Span) });

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);
    }

    /// <summary>As in ONNX Attention-24.</summary>
    [Fact]
    public static void Rows_shorter_than_the_keys_hide_the_keys_after_them()
    {
        Case drawn = Case.Of(3, new(1, 2, 2, 4, 9), 16, 24);
        float[] shown = [0, 0, 0, 0, 0], all = [.. shown, .. Enumerable.Repeat(float.NegativeInfinity, 4)];
        (float[] output, _) = drawn.Expected(new() { AdditiveMask = new AdditiveMask(all, new(1, 1, 1, 9)) });

        Run(drawn, new() { AdditiveMask = TensorMask.Additive(shown) });

        Bits.Same(output, drawn.Output.Packed);
    }

    [Fact]
    public static void Rows_of_no_elements_hide_all_keys()
    {
        Case drawn = Case.Of(3, new(1, 2, 2, 4, 9), 16, 24);

        Run(drawn, new() { BooleanMask = TensorMask.Boolean(new ReadOnlyTensorSpan<bool>([true, true, true, true], [4, 1]).Slice([NRange.All, new NRange(0, 0)])) });

        Assert.All(drawn.Output.Packed, static value => Assert.Equal(0, value));
        Assert.All(drawn.LogSumExp.Packed, static value => Assert.Equal(float.NegativeInfinity, value));
    }

    [Fact]
    public static void Other_ranks_are_refused()
    {
        ShouldRefuse(static () => _ = TensorMask.Additive(default));
        ShouldRefuse(static () => _ = TensorMask.Boolean(new ReadOnlyTensorSpan<bool>([true], [1, 1, 1, 1, 1])));
    }

    [Fact]
    public static void A_key_axis_that_is_not_contiguous_is_refused()
    {
        ShouldRefuse(static () => _ = TensorMask.Additive(new ReadOnlyTensorSpan<float>(new float[12], [3, 4], [1, 3])));
        ShouldRefuse(static () => _ = TensorMask.Boolean(new ReadOnlyTensorSpan<bool>(new bool[4], [4, 4], [1, 0])));
        ShouldRefuse(static () => _ = TensorMask.Boolean(new ReadOnlyTensorSpan<byte>(new byte[8], [4], [2])));
    }

    [Fact]
    public static void Masks_of_other_sizes_than_the_call_are_refused_by_the_call()
    {
        Case drawn = Case.Of(4, new(2, 2, 2, 4, 9), 16, 24);

        foreach (nint[] lengths in (nint[][])[[3, 1, 4, 9], [3, 4, 9], [5, 9], [10]])
        {
            Buffer<float> mask = Buffer<float>.Of(Placement.Contiguous(lengths), 0, static () => 0);
            string? parameter = Assert.Throws<ArgumentException>(() => Run(drawn, new() { AdditiveMask = TensorMask.Additive(mask.Span) })).ParamName;
            Assert.Equal("options", parameter);
        }

        Assert.All(drawn.Output.Packed, static value => Assert.Equal(Case.Mark, value));
    }

    private static void ShouldRefuse(Action make) => Assert.Equal("mask", Assert.Throws<ArgumentException>(make).ParamName);

    private static void Run(Case drawn, in AttentionOptions options) =>
        TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span, drawn.Mask, options);

    /// <summary>A mask of one to four axes, each whole or of length 1.</summary>
    private static Buffer<T> Draw<T>(Random random, Case drawn, T mark, Func<T> element)
        where T : unmanaged
    {
        AttentionShape shape = drawn.Shape;
        nint[] whole = [shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength];
        nint[] lengths = [.. whole[random.Next(4)..].Select(length => random.Next(3) == 0 ? 1 : length)];
        return Buffer<T>.Of(Placement.Draw(random, lengths, mayRepeat: true), mark, element);
    }

    /// <summary>The mask as [batch, heads, queries, keys] without any axis that repeats.</summary>
    private static T[] WrittenOut<T>(Buffer<T> mask, Case drawn)
        where T : unmanaged
    {
        AttentionShape shape = drawn.Shape;
        T[] packed = mask.Packed;
        nint[] lengths = [.. Enumerable.Repeat((nint)1, 4 - mask.Placement.Rank), .. mask.Placement.Lengths];
        var all = new T[shape.Batch * shape.QueryHeads * shape.QueryLength * shape.KeyLength];
        for (int i = 0; i < all.Length; i++)
        {
            (int rest, int j) = Math.DivRem(i, shape.KeyLength);
            (rest, int q) = Math.DivRem(rest, shape.QueryLength);
            (int b, int h) = Math.DivRem(rest, shape.QueryHeads);
            nint place = ((b % lengths[0] * lengths[1] + h % lengths[1]) * lengths[2] + q % lengths[2]) * lengths[3] + j % lengths[3];
            all[i] = packed[place];
        }

        return all;
    }
}
