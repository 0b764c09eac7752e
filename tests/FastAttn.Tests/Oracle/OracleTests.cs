using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Oracle;

/// <summary>The oracle itself, by hand: what all else is judged by needs no other judge than pencil and paper.</summary>
public static class OracleTests
{
    // Sums of a few doubles.
    private const double Rounding = 1e-14;

    private static readonly double Ln2 = Math.Log(2);

    /// <summary>Keys of weight 1, 2 and 4 with values 1, 10 and 100.</summary>
    private static readonly LoneHead Three = new([[1], [1]], [[0], [Ln2], [2 * Ln2]], [[1], [10], [100]], 1);

    [Fact]
    public static void Weights_are_powers_of_e() => Check(Three, (421.0 / 7, 7), (421.0 / 7, 7));

    [Fact]
    public static void Default_scale_is_the_root_of_the_head_dimension() =>
        Check(new([[1, 1, 1, 1]], [[Ln2, Ln2, 0, 0], [0, 0, 0, 0]], [[1], [4]], 1), (6.0 / 3, 3));

    [Fact]
    public static void Query_sees_up_to_its_own_position() => Check(Three with { Right = 0 }, (1, 1), (21.0 / 3, 3));

    [Fact]
    public static void Window_moves_with_the_offset() => Check(Three with { Left = 0, Right = 0, Offset = 1 }, (10, 2), (100, 4));

    [Fact]
    public static void Slope_takes_from_far_keys() => Check(Three with { Slope = Ln2 }, ((1 + 10 + 100) / 3.0, 3), ((0.5 + 20 + 200) / 4.5, 4.5));

    [Fact]
    public static void Mask_adds_and_hides() => Check(Three with { Mask = (i, j) => j == i ? null : j == 2 ? double.NegativeInfinity : Ln2 }, (10, 4), (1, 2));

    [Fact]
    public static void Sink_weighs_and_has_no_value() => Check(Three with { Sink = 0 }, (421.0 / 8, 8), (421.0 / 8, 8));

    [Fact]
    public static void Softcap_is_a_hyperbolic_tangent() => Check(
        new([[1]], [[2 * Math.Atanh(Ln2 / 2)], [0]], [[1], [4]], 1) { Softcap = 2 }, (6.0 / 3, 3));

    [Fact]
    public static void Query_without_keys_has_zeros() => Check(Three with { Mask = (i, _) => i == 0 ? null : 0 }, (0, 0), (421.0 / 7, 7));

    /// <summary>Two sequences of two heads over one, [B, L, H, D], whose values name sequence and key.</summary>
    [Fact]
    public static void Batch_is_cut_into_its_sequences_and_heads()
    {
        Case call = new(1, 1, AttentionMask.None, new(2, 2, 1, 2, 3))
        {
            Layout = AttentionLayout.BatchLengthHeadDim,
            KeyLengths = [3, 2],
            BooleanMask = new([true, false, true, true], new(1, 2, 2, 1)),
        };

        // The mask's one key stands for all: head 0 lets the first query see, head 1 both. Outputs are [B, L, H].
        (double[] output, double[] logSumExp) = new BatchedCall(call, new(new float[8], new float[6], [1, 2, 3, 10, 20, 30])).Attend<double>(8);
        Assert.Equal([2.0, 2, 0, 2, 15, 15, 0, 15], output);
        Assert.Equal([3.0, 0, 3, 3, 2, 0, 2, 2], logSumExp.Select(static sum => Math.Round(Math.Exp(sum), 12)));
    }

    [Theory]
    [InlineData(3, 3, null, false)]
    [InlineData(3, 3, new[] { 2 }, false)]
    [InlineData(3, 5, null, false)]
    [InlineData(3, 5, new[] { 3 }, false)]
    [InlineData(3, 5, new[] { 2 }, true)]
    [InlineData(3, 5, new[] { 0 }, false)]
    [InlineData(3, 2, null, true)]
    [InlineData(0, 2, null, false)]
    public static void Diagonal_that_does_not_follow_is_refused(int queries, int keys, int[]? keyLengths, bool isRefused)
    {
        Case plain = new(1, 1, AttentionMask.None, new(1, 1, 1, queries, keys)) { KeyLengths = keyLengths, LeavesOffsetsOut = true }, causal = plain with { Mask = AttentionMask.Causal };
        Assert.Equal(isRefused, IsRefused(causal));
        Assert.Equal(isRefused, IsRefused(plain with { Window = new(1, 1) }));
        Assert.False(IsRefused(plain));
        Assert.False(IsRefused(causal with { PositionOffset = -1 }));

        static bool IsRefused(Case call) => new BatchedCall(call, Inputs.Zero(call)).IsRefused;
    }

    private static void Check(LoneHead head, params (double Output, double Sum)[] expected)
    {
        (double[][] output, double[] logSumExp) = head.Attend<double>();
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Output, output[i][0], Rounding * 100);
            Assert.Equal(Math.Log(expected[i].Sum), logSumExp[i], Rounding);
        }
    }
}
