using System;
using System.Linq;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class ReferenceCheckTests
{
    private static readonly AttentionProblem Problem = Create(new AttentionShape(2, 4, 2, 5, 7), headDim: 8, valueDim: 6, AttentionMask.Causal);

    [Fact]
    public void A_right_output_is_good()
    {
        float[] output = Attend(Problem);

        Assert.True(ReferenceCheck.CompareAny(Problem, output).IsGood);
        Assert.True(ReferenceCheck.CompareNormal(Problem, output).IsGood);
    }

    [Theory]
    [InlineData(0.001f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_wrong_number_in_any_head_is_found(float difference)
    {
        float[] output = Attend(Problem);
        int head = output.Length / 8;
        for (int i = head - 1; i < output.Length; i += head)
        {
            float right = output[i];
            output[i] += difference;

            Assert.False(ReferenceCheck.CompareAny(Problem, output).IsGood);
            Assert.False(ReferenceCheck.CompareNormal(Problem, output).IsGood);
            output[i] = right;
        }
    }

    [Fact]
    public void Operations_are_4BHLLd_and_half_of_it_for_a_causal_square()
    {
        Assert.Equal(4.0 * 2 * 3 * 10 * 20 * 64, Count(new AttentionShape(2, 3, 3, 10, 20), AttentionMask.None, null));
        Assert.Equal(2.0 * 2 * 3 * 20 * 20 * 64, Count(new AttentionShape(2, 3, 3, 20, 20), AttentionMask.Causal, null));
    }

    [Fact]
    public void Operations_of_a_causal_mask_follow_its_offset()
    {
        var shape = new AttentionShape(1, 1, 1, 4, 10);
        Assert.Equal(4.0 * 64 * (4 * 10 - 8), Count(shape, AttentionMask.Causal, null)); // A cache of 6 keys, then half a square of 4.
        Assert.Equal(4.0 * 64 * 4 * 10, Count(shape, AttentionMask.Causal, 10));
        Assert.Equal(0, Count(shape, AttentionMask.Causal, -4));
        Assert.Equal(4.0 * 64 * 8, Count(shape, AttentionMask.Causal, 0));
    }

    private static double Count(AttentionShape shape, AttentionMask mask, int? causalOffset) =>
        new AttentionProblem(shape, 64, 64, mask, [], [], []) { PositionOffset = causalOffset }.CountOperations();

    private static AttentionProblem Create(AttentionShape shape, int headDim, int valueDim, AttentionMask mask)
    {
        var random = new Random(3);
        float[] Next(int length) => [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() * 2 - 1)];
        int queries = shape.Batch * shape.QueryHeads * shape.QueryLength, keys = shape.Batch * shape.KeyValueHeads * shape.KeyLength;
        return new AttentionProblem(shape, headDim, valueDim, mask, Next(queries * headDim), Next(keys * headDim), Next(keys * valueDim));
    }

    private static float[] Attend(AttentionProblem problem)
    {
        float[] output = new float[problem.OutputLength];
        ScaledDotProductAttention.Forward(problem.Query, problem.Key, problem.Value, output, problem.Shape, problem.HeadDim, problem.Mask, valueDim: problem.ValueDim);
        return output;
    }
}
