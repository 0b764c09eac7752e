using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Attention without a declaration.</summary>
public static class ScaledDotProductAttentionTests
{
    private static readonly float[] Empty = [];

    // Those with code of their own, their neighbours, and the ends of the range.
    public static TheoryData<int> HeadDims => Budget.IsSmall
        ? [1, 5, 33, 64, 99, 257, 1024]
        : [1, 2, 5, 7, 17, 32, 33, 48, 63, 64, 65, 80, 96, 99, 128, 129, 160, 200, 256, 257, 384, 511, 768, 1000, 1023, 1024];

    [Theory]
    [MemberData(nameof(HeadDims))]
    public static void Any_dimension_gives_the_formula(int headDim)
    {
        foreach (AttentionMask mask in Enum.GetValues<AttentionMask>())
        {
            foreach (int valueDim in (int[])[headDim, 1025 - headDim])
            {
                AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim, mask, valueDim: valueDim);
                Assert.Equal((headDim, valueDim, mask), (kernel.HeadDim, kernel.ValueDim, kernel.Mask));
                var accuracy = new Accuracy(kernel);
                accuracy.Check(new Case(kernel, new(1, 2, 1, 19, 27)) { Seed = headDim });
                accuracy.Check(new Case(kernel, new(1, 1, 1, 1, 40)) { Seed = headDim, Key = RowPlacement.Padded, Value = RowPlacement.RoundedUp });
                accuracy.Check(new Case(kernel, new(1, 1, 1, 50, Budget.Of(101, 11))) { Seed = headDim, Layout = AttentionLayout.BatchLengthHeadDim });
            }
        }
    }

    [Fact]
    public static void Forward_is_that_of_the_kernel()
    {
        foreach ((int headDim, int? valueDim) in ((int, int?)[])[(64, null), (64, 64), (45, null), (45, 37)])
        {
            foreach (AttentionMask mask in Enum.GetValues<AttentionMask>())
            {
                AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim, mask, valueDim: valueDim ?? headDim);
                var call = new Case(kernel, new(2, 4, 2, 20, 30)) { PositionOffset = 3, Layout = AttentionLayout.BatchLengthHeadDim };
                Inputs inputs = Inputs.Normal(call);
                Outputs<float> expected = call.Run(kernel, inputs);
                Outputs<float> actual = call.NewOutputs();

                ScaledDotProductAttention.Forward(inputs.Query, inputs.Key, inputs.Value, new AttentionOutput(actual.Output, actual.LogSumExp), call.GivenShape, headDim, mask, call.Options, call.Execution, valueDim);
                Compare.SameBits($"{call}", expected, actual);
                actual.Output.AsSpan().Clear();
                ScaledDotProductAttention.Forward(inputs.Query, inputs.Key, inputs.Value, actual.Output, call.GivenShape, headDim, mask, call.Options, call.Execution, valueDim);
                Compare.SameBits($"{call}, without logSumExp", expected, actual);
            }
        }
    }

    [Fact]
    public static void Same_arguments_give_the_same_kernel()
    {
        foreach (AttentionMask mask in Enum.GetValues<AttentionMask>())
        {
            foreach ((int headDim, int valueDim) in ((int, int)[])[(64, 64), (64, 32), (50, 50), (1024, 1)])
                Assert.Same(ScaledDotProductAttention.GetKernel(headDim, mask, valueDim: valueDim), ScaledDotProductAttention.GetKernel(headDim, mask, valueDim: valueDim));
        }

        // The value dimension is the head dimension unless it is given, and the mask none.
        Assert.Same(ScaledDotProductAttention.GetKernel(64), ScaledDotProductAttention.GetKernel(64, AttentionMask.None, AttentionFeatures.None, 64));
        Assert.Same(ScaledDotProductAttention.GetKernel(50), ScaledDotProductAttention.GetKernel(50, valueDim: 50));
        AttentionKernel[] distinct =
        [
            ScaledDotProductAttention.GetKernel(50), ScaledDotProductAttention.GetKernel(50, valueDim: 51), ScaledDotProductAttention.GetKernel(51, valueDim: 50),
            ScaledDotProductAttention.GetKernel(50, AttentionMask.Causal),
        ];
        Assert.Equal(distinct.Length, distinct.Distinct().Count());
    }

    [Fact]
    public static void Usual_dimensions_have_kernels_of_their_own()
    {
        foreach (int dimension in (int[])[32, 64, 80, 96, 128, 256])
        {
            Assert.Equal($"F32_D{dimension}_{InstructionSets.Default}", ScaledDotProductAttention.GetKernel(dimension).Name);
            Assert.Equal($"F32_D{dimension}_Causal_{InstructionSets.Default}", ScaledDotProductAttention.GetKernel(dimension, AttentionMask.Causal).Name);
            Assert.Equal($"F32_Any_{InstructionSets.Default}", ScaledDotProductAttention.GetKernel(dimension, valueDim: dimension + 1).Name);
        }
    }

    [Fact]
    public static void Dimension_out_of_range_is_refused()
    {
        foreach (int dimension in (int[])[0, -1, int.MinValue, ScaledDotProductAttention.MaxDim + 1, int.MaxValue])
        {
            Assert.Throws<ArgumentOutOfRangeException>("headDim", () => ScaledDotProductAttention.GetKernel(dimension, valueDim: 64));
            Assert.Throws<ArgumentOutOfRangeException>("valueDim", () => ScaledDotProductAttention.GetKernel(64, valueDim: dimension));
            Assert.Throws<ArgumentOutOfRangeException>("headDim", () => ScaledDotProductAttention.Forward(Empty, Empty, Empty, Empty, default, dimension, valueDim: 64));
            Assert.Throws<ArgumentOutOfRangeException>("valueDim", () => ScaledDotProductAttention.Forward(Empty, Empty, Empty, Empty, default, 64, valueDim: dimension));
            Assert.Throws<ArgumentOutOfRangeException>("headDim", () => AttentionReference.Forward<float>(Empty, Empty, Empty, Empty, default, dimension, valueDim: 64));
            Assert.Throws<ArgumentOutOfRangeException>("valueDim", () => AttentionReference.Forward<double>(Empty, Empty, Empty, [], default, 64, valueDim: dimension));
        }
    }

    [Fact]
    public static void Undefined_mask_is_refused()
    {
        foreach (var mask in (AttentionMask[])[(AttentionMask)2, (AttentionMask)(-1)])
        {
            Assert.Throws<ArgumentOutOfRangeException>("mask", () => ScaledDotProductAttention.GetKernel(64, mask));
            Assert.Throws<ArgumentOutOfRangeException>("mask", () => ScaledDotProductAttention.Forward(Empty, Empty, Empty, Empty, default, 64, mask));
            Assert.Throws<ArgumentOutOfRangeException>("mask", () => AttentionReference.Forward<float>(Empty, Empty, Empty, Empty, default, 64, mask));
        }
    }
}
