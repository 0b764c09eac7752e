using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Strides of buffers that have room for more than a call uses.</summary>
public static class StridesTests
{
    [Fact]
    public static void Strides_of_a_capacity_are_those_of_the_whole_buffer()
    {
        Assert.Equal(new AttentionStrides(batch: 4 * 100 * 64, head: 100 * 64, length: 64), AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, heads: 4, capacity: 100, dim: 64));
        Assert.Equal(new AttentionStrides(batch: 4 * 100 * 64, head: 64, length: 4 * 64), AttentionStrides.Of(AttentionLayout.BatchLengthHeadDim, heads: 4, capacity: 100, dim: 64));
        Assert.Equal(default, AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, 0, 0, 0));
        Assert.Equal(int.MaxValue * (long)int.MaxValue, AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, 1, int.MaxValue, int.MaxValue).Batch);
    }

    [Fact]
    public static void Sizes_that_make_no_strides_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>("heads", static () => AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, -1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, 1, -1, 1));
        Assert.Throws<ArgumentOutOfRangeException>("dim", static () => AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, 1, 1, -1));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, int.MaxValue, int.MaxValue, int.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>("layout", static () => AttentionStrides.Of((AttentionLayout)2, 1, 1, 1));
    }

    /// <summary>Grouped heads that decode over a buffer of keys and values, of which the first tokens are there; the rest is NaN.</summary>
    [Fact]
    public static void Tokens_of_a_buffer_with_capacity_equal_those_of_a_dense_one()
    {
        const int Batch = 2, Heads = 6, KeyValueHeads = 2, Keys = 37, Capacity = 64, Dim = 64;
        Case call = new(Dim, Dim, AttentionMask.Causal, new(Batch, Heads, KeyValueHeads, 1, Keys));
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
        {
            AttentionStrides strides = AttentionStrides.Of(layout, KeyValueHeads, Capacity, Dim);
            float[] key = Stored(inputs.Key), value = Stored(inputs.Value), actual = call.NewOutputs().Output;
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(ScaledDotProductAttention.GetKernel(Dim, AttentionMask.Causal).For))
            {
                kernel.Forward(inputs.Query, new(key, strides), new(value, strides), actual, call.Shape);
                Compare.SameBits($"{kernel.Name}, {layout}", call.Run(kernel, inputs).Output, actual);
            }

            float[] Stored(float[] dense)
            {
                var buffer = new float[Batch * KeyValueHeads * Capacity * Dim];
                Array.Fill(buffer, float.NaN);
                for (int row = 0; row < Batch * KeyValueHeads * Keys; row++)
                {
                    (int rest, int j) = Math.DivRem(row, Keys);
                    (int b, int h) = Math.DivRem(rest, KeyValueHeads);
                    dense.AsSpan(row * Dim, Dim).CopyTo(buffer.AsSpan((int)(b * strides.Batch + h * strides.Head + j * strides.Length)));
                }

                return buffer;
            }
        }
    }
}
