using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>How windows are said.</summary>
public static class WindowTests
{
    /// <summary><c>sliding_window: 128</c> of a model's configuration: the token itself and the 127 before it.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(128)]
    [InlineData(int.MaxValue)]
    public static void Sliding_window_counts_the_querys_own_key(int keys)
    {
        Assert.Equal(new AttentionWindow(left: keys - 1, right: 0), AttentionWindow.Sliding(keys));
        Assert.Equal((keys - 1, 0), (AttentionWindow.Sliding(keys).Left, AttentionWindow.Sliding(keys).Right));
    }

    /// <summary>The weights say which keys a query sees, with and without a causal mask.</summary>
    [Fact]
    public static void Query_sees_as_many_keys_as_a_sliding_window_has()
    {
        const int Length = 9;
        foreach (AttentionMask mask in Enum.GetValues<AttentionMask>())
        {
            for (int keys = 1; keys <= Length + 1; keys++)
            {
                float[] zeros = new float[Length], weights = new float[Length * Length];
                ScaledDotProductAttention.ComputeWeights(zeros, zeros, weights, new(1, 1, Length), 1, mask, new() { Window = AttentionWindow.Sliding(keys) });
                for (int i = 0; i < Length; i++)
                {
                    int seen = Math.Min(keys, i + 1);
                    float[] expected = [.. Enumerable.Range(0, Length).Select(j => j <= i && j > i - keys ? 1f / seen : 0)];
                    Assert.Equal(expected, weights.AsSpan(i * Length, Length).ToArray(), static (right, weight) => Math.Abs(right - weight) <= 1e-7f);
                }
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public static void Sliding_window_of_no_key_is_refused(int keys) => Assert.Throws<ArgumentOutOfRangeException>(nameof(keys), () => AttentionWindow.Sliding(keys));

    /// <summary>One bound is enough.</summary>
    [Fact]
    public static void Window_with_one_bound_shows_all_keys_on_the_other_side()
    {
        Case call = new(16, 16, AttentionMask.None, new(1, 2, 2, 20, 20));
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
        {
            Compare.SameBits(bound.Name, (call with { Window = new(3, int.MaxValue) }).Run(bound, inputs), (call with { Window = new(left: 3, right: null) }).Run(bound, inputs));
            Compare.SameBits(bound.Name, (call with { Window = new(int.MaxValue, 3) }).Run(bound, inputs), (call with { Window = new(left: null, right: 3) }).Run(bound, inputs));
        }
    }
}
