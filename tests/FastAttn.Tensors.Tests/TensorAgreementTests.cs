using System;
using System.Buffers;
using System.Linq;
using System.Numerics.Tensors;

using FastAttn.Tensors.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tensors.Tests;

/// <summary>Results over tensors are those of the library over contiguous spans, to the bit, and nothing beside the tensors is read or written.</summary>
public static class TensorAgreementTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void Any_dimensions_ranks_and_strides_give_the_bits_of_spans(int seed)
    {
        Case drawn = Case.Draw(new Random(seed));
        (float[] output, _) = drawn.Expected();

        TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.Mask);

        Bits.Same(output, drawn.Output.Packed);
        Assert.True(drawn.Output.RestIsUntouched());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void The_log_sum_exp_has_the_bits_of_spans(int seed)
    {
        Case drawn = Case.Draw(new Random(seed));
        (float[] output, float[] logSumExp) = drawn.Expected();

        TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span, drawn.Mask);

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);
        Assert.True(drawn.Output.RestIsUntouched());
        Assert.True(drawn.LogSumExp.RestIsUntouched());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void A_declared_kernel_gives_the_bits_of_spans(int seed)
    {
        AttentionKernel kernel = DeclaredKernels.Causal16To24;
        Case drawn = Case.Draw(new Random(seed), kernel.HeadDim, kernel.ValueDim, kernel.Mask);
        var output = new float[drawn.Output.Placement.Count];
        var logSumExp = new float[drawn.LogSumExp.Placement.Count];
        kernel.Forward(drawn.Query.Packed, drawn.Key.Packed, drawn.Value.Packed, new AttentionOutput(output, logSumExp), drawn.Shape);

        kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span);

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);

        kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span);

        Bits.Same(output, drawn.Output.Packed);
        Assert.True(drawn.Output.RestIsUntouched());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public static void Options_and_execution_reach_the_library(int seed)
    {
        var random = new Random(seed);
        AttentionKernel kernel = DeclaredKernels.Featured16To24;
        Case drawn = Case.Draw(random, kernel.HeadDim, kernel.ValueDim, kernel.Mask);
        int[] keyLengths = [.. Enumerable.Range(0, drawn.Shape.Batch).Select(_ => random.Next(drawn.Shape.QueryLength, drawn.Shape.KeyLength + 1))];
        AttentionOptions options = new()
        {
            Scale = 0.3f,
            Softcap = 2,
            Window = AttentionWindow.Sliding(9),
            KeyLengths = keyLengths,
            AlibiSlopes = AlibiSlopes.For(drawn.Shape.QueryHeads),
        };
        (float[] output, float[] logSumExp) = drawn.Expected(options);

        TensorAttention.Forward(
            drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span, options: options, execution: new() { MaxDegreeOfParallelism = 2 });

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);

        var cancelled = new System.Threading.CancellationToken(canceled: true);
        Assert.Throws<OperationCanceledException>(
            () => kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, execution: new() { CancellationToken = cancelled }));
        Assert.Throws<OperationCanceledException>(
            () => TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, execution: new() { CancellationToken = cancelled }));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public static void Sequences_without_padding_follow_each_other_along_the_tokens(int rank)
    {
        int[] queryStarts = [0, 5, 5, 12], keyStarts = [0, 7, 9, 20];
        Case drawn = Case.Of(rank, new(1, 4, 2, 12, 20), 16, 24, AttentionMask.Causal);
        AttentionOptions options = new() { QueryStarts = queryStarts, KeyStarts = keyStarts };
        (float[] output, float[] logSumExp) = drawn.Expected(options, new AttentionShape(3, 4, 2, 12, 20));

        TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span, drawn.Mask, options);

        Bits.Same(output, drawn.Output.Packed);
        Bits.Same(logSumExp, drawn.LogSumExp.Packed);
    }

    /// <summary>A mask of such sequences is as large as the longest of them needs.</summary>
    [Fact]
    public static void Masks_of_sequences_without_padding_have_the_longest_lengths()
    {
        int[] queryStarts = [0, 5, 12], keyStarts = [0, 7, 18];
        var random = new Random(2);
        Case drawn = Case.Of(3, new(1, 2, 2, 12, 18), 8, 8);
        Buffer<float> mask = Buffer<float>.Of(Placement.Contiguous(2, 1, 7, 11), 0, random.NextSingle);
        (float[] output, _) = drawn.Expected(
            new() { QueryStarts = queryStarts, KeyStarts = keyStarts, AdditiveMask = new AdditiveMask(mask.Packed, new(2, 1, 7, 11)) }, new AttentionShape(2, 2, 2, 7, 11));

        TensorAttention.Forward(
            drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span,
            options: new() { QueryStarts = queryStarts, KeyStarts = keyStarts, AdditiveMask = TensorMask.Additive(mask.Span) });

        Bits.Same(output, drawn.Output.Packed);
    }

    [Theory]
    [InlineData(0, 2, 3, 4)]
    [InlineData(2, 0, 3, 4)]
    [InlineData(2, 2, 0, 4)]
    [InlineData(2, 2, 3, 0)]
    public static void Any_length_but_the_dimensions_may_be_0(int batch, int heads, int queries, int keys)
    {
        Case drawn = Case.Of(4, new(batch, heads, heads, queries, keys), 16, 24);

        TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span);

        // Without keys there is nothing to sum.
        Assert.All(drawn.Output.Packed, static value => Assert.Equal(0, value));
        Assert.All(drawn.LogSumExp.Packed, static value => Assert.Equal(float.NegativeInfinity, value));
        Assert.True(drawn.Output.RestIsUntouched());
    }

    /// <summary>Views that the framework makes, not only such as are made of strides.</summary>
    [Fact]
    public static void Permuted_and_sliced_tensors_are_taken_as_they_lie()
    {
        var random = new Random(3);
        Tensor<float> qkv = Tensor.Create([.. Enumerable.Range(0, 2 * 9 * 3 * 2 * 16).Select(_ => random.NextSingle())], [2, 9, 3, 2, 16]);
        float[] output = new float[2 * 2 * 9 * 16], expected = new float[output.Length];
        ScaledDotProductAttention.ForwardQkv(qkv.ToArray(), expected, new AttentionShape(2, 2, 9), headDim: 16);

        // A token is [Q, K, V], each [heads, dim]: slices of one of the three, of which the axis of three is dropped.
        Tensor<float> written = Tensor.Create(output, [2, 9, 2, 16]);
        TensorAttention.Forward(Part(0), Part(1), Part(2), Tensor.PermuteDimensions(written, [0, 2, 1, 3]));

        Bits.Same(expected, output);

        Tensor<float> Part(int index)
        {
            Tensor<float> part = Tensor.SqueezeDimension(qkv.Slice([NRange.All, NRange.All, new NRange(index, index + 1), NRange.All, NRange.All]), 2);
            return Tensor.PermuteDimensions(part, [0, 2, 1, 3]);
        }
    }
}
