using System;
using System.Numerics.Tensors;

using Xunit;

namespace FastAttn.Tensors.Tests;

/// <summary>Results that are worked out by hand.</summary>
public static class TensorValueTests
{
    // Both are within a few ulp of numbers of this size.
    private const float Tolerance = 1e-6f;

    [Fact]
    public static void Two_keys_of_one_head()
    {
        // Scores are 0 and ln 3: the weights are 1/4 and 3/4.
        ReadOnlyTensorSpan<float> query = new([1], [1, 1]), key = new([0, MathF.Log(3)], [2, 1]), value = new([4, 40, 8, 80], [2, 2]);
        TensorSpan<float> output = new(new float[2], [1, 2]), logSumExp = new(new float[1]);

        TensorAttention.Forward(query, key, value, output, logSumExp, options: new() { Scale = 1 });

        Assert.Equal(7, output[0, 0], 7 * Tolerance);
        Assert.Equal(70, output[0, 1], 70 * Tolerance);
        Assert.Equal(MathF.Log(4), logSumExp[0], Tolerance);
    }

    /// <summary>Tokens before heads: a transposed view says so, for what is read and what is written.</summary>
    [Fact]
    public static void Two_heads_whose_tokens_come_first()
    {
        // Queries and keys are zeros, so all scores are equal: under a causal mask a token's output is the mean of the values up to its own.
        float[] values = [1, 10, 3, 30], written = new float[4];
        ReadOnlyTensorSpan<float> zeros = new(new float[1], [2, 2, 1], [0, 0, 0]), value = new(values, [2, 2, 1], [1, 2, 0]);

        TensorAttention.Forward(zeros, zeros, value, new TensorSpan<float>(written, [2, 2, 1], [1, 2, 0]), AttentionMask.Causal);

        // [token, head]: the first token's values, then the means of both tokens'.
        Assert.Equal([1, 10, 2, 20], written);
    }

    [Fact]
    public static void Query_heads_share_key_value_heads()
    {
        float[] zeros = new float[4], written = new float[4];

        TensorAttention.Forward(
            new ReadOnlyTensorSpan<float>(zeros, [4, 1, 1]), new ReadOnlyTensorSpan<float>(zeros, [2, 1, 1]), new ReadOnlyTensorSpan<float>([5, 6], [2, 1, 1]), new TensorSpan<float>(written, [4, 1, 1]));

        Assert.Equal([5, 5, 6, 6], written);
    }

    /// <summary>What is set without a name after the output is the options, or the mask, and never the log-sum-exp.</summary>
    [Fact]
    public static void The_fifth_argument_without_a_type_is_not_the_log_sum_exp()
    {
        float[] zeros = new float[16], written = new float[16];
        ReadOnlyTensorSpan<float> input = new(zeros, [1, 16]);
        TensorSpan<float> output = new(written, [1, 16]);

        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(16, features: AttentionFeatures.All);
        kernel.Forward(input, input, input, output, new() { Scale = 1 });
        kernel.Forward(input, input, input, output, default);
        TensorAttention.Forward(input, input, input, output, default);

        Assert.Equal(zeros, written);
    }
}
