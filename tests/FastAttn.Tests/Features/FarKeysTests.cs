using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>ALiBi where the nearest key is far: only differences of distances weigh, and these are as exact as near by.</summary>
public static class FarKeysTests
{
    /// <summary>Logits of −1000 would each be rounded by 3e-5.</summary>
    /// <param name="queryLength">Few queries are worked on one by one, many in lanes.</param>
    /// <param name="offset">The position of the first query; there are 200 keys.</param>
    /// <param name="isShorter">Whether the sequence has fewer keys than the buffer.</param>
    [Theory]
    [InlineData(2, 1000, false)]
    [InlineData(60, 1000, false)]
    [InlineData(60, 1000, true)]
    [InlineData(2, -1000, false)]
    [InlineData(60, -1000, false)]
    [InlineData(1, (1 << 25) + 2, false)]
    [InlineData(60, (1 << 25) + 2, false)]
    [InlineData(60, int.MaxValue, false)]
    public static void Outputs_are_as_accurate_as_with_near_keys(int queryLength, int offset, bool isShorter)
    {
        const int Keys = 200;
        var call = new Case(16, 16, AttentionMask.None, new(1, 2, 2, queryLength, Keys))
        {
            PositionOffset = offset,
            AlibiSlopes = [1, 0.3f],
            KeyLengths = isShorter ? [150] : null,
        };

        Check(call);
    }

    /// <summary>Queries among the keys, the nearest of which a mask hides: 300 to each side, or all before the query and 300 behind.</summary>
    /// <param name="queryLength">As above.</param>
    /// <param name="kind">The kind of the mask.</param>
    /// <param name="isOneSided">Whether keys are seen on one side only.</param>
    [Theory]
    [InlineData(2, AttentionFeatures.AdditiveMask, false)]
    [InlineData(60, AttentionFeatures.AdditiveMask, false)]
    [InlineData(2, AttentionFeatures.BooleanMask, false)]
    [InlineData(60, AttentionFeatures.BooleanMask, false)]
    [InlineData(60, AttentionFeatures.BooleanMask, true)]
    [InlineData(2, AttentionFeatures.BitMask, true)]
    [InlineData(60, AttentionFeatures.BitMask, false)]
    public static void Masks_may_hide_the_near_keys(int queryLength, AttentionFeatures kind, bool isOneSided)
    {
        const int Keys = 1000, Position = 400, Hidden = 300;
        AttentionMaskSizes sizes = new(1, 1, queryLength, Keys);
        bool[] sees = [.. Enumerable.Range(0, queryLength * Keys).Select(i => (Key: i % Keys, Query: Position + i / Keys)).Select(
            pair => isOneSided ? pair.Key > pair.Query + Hidden : Math.Abs(pair.Key - pair.Query) > Hidden)];
        var call = new Case(16, 16, AttentionMask.None, new(1, 2, 2, queryLength, Keys))
        {
            PositionOffset = Position,
            AlibiSlopes = [1, 0.3f],
            AdditiveMask = kind == AttentionFeatures.AdditiveMask ? new(Masks.Additive(sees), sizes) : null,
            BooleanMask = kind == AttentionFeatures.BooleanMask ? new(sees, sizes) : null,
            BitMask = kind == AttentionFeatures.BitMask ? new(Masks.Bits(sees, Keys), sizes) : null,
        };

        Check(call);
    }

    /// <summary>log₂(e) times such a slope is more than a float holds.</summary>
    /// <param name="queryLength">As above.</param>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public static void Steepest_slope_leaves_the_nearest_key(int queryLength) =>
        Check(new Case(16, 16, AttentionMask.None, new(1, 2, 2, queryLength, 200)) { PositionOffset = 170, AlibiSlopes = [float.MaxValue, 3e38f] });

    /// <summary>Key blocks end where 32 bits do. All keys are one row, repeated by a stride of 0: n of them give its value and log n.</summary>
    /// <param name="queryLength">As above.</param>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public static void Window_reaches_the_last_of_all_keys_that_a_sequence_can_have(int queryLength)
    {
        const int Seen = 100;
        float[] value = [2, 3, 5, 7], zeros = new float[queryLength * 4];
        AttentionShape shape = new(batch: 1, queryHeads: 1, keyValueHeads: 1, queryLength, keyLength: int.MaxValue);
        AttentionStrides repeated = new(4, 4, 0);
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim: 4, valueDim: 4, features: AttentionFeatures.Window);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            float[] output = new float[zeros.Length], logSumExp = new float[queryLength];
            kernel.For(instructionSet).Forward(
                zeros, new(zeros.AsSpan(0, 4), repeated), new(value, repeated), new AttentionOutput(output, logSumExp), shape, new() { Window = AttentionWindow.Sliding(Seen), PositionOffset = int.MaxValue - queryLength });

            // All weights are 1 and all sums exact: of the outputs up to 7 two roundings are left, of log 100 some three.
            Assert.All(output, (o, i) => Assert.Equal(value[i % 4], o, 1e-6f));
            Assert.All(logSumExp, static sum => Assert.Equal(MathF.Log(Seen), sum, 1.5e-6f));
        }
    }

    /// <summary>A mask hides a key whatever else is added: here ALiBi is more than a float holds.</summary>
    /// <param name="queryLength">As above.</param>
    [Theory]
    [InlineData(2)]
    [InlineData(60)]
    public static void Infinite_bias_does_not_show_a_hidden_key(int queryLength)
    {
        const int Keys = 40;
        Check(new Case(16, 16, AttentionMask.None, new(1, 1, 1, queryLength, Keys))
        {
            PositionOffset = 0,
            AlibiSlopes = [-3e38f],
            BooleanMask = new([.. Enumerable.Range(0, Keys).Select(static j => j == 20)], new(1, 1, 1, Keys)),
        });
    }

    private static void Check(Case call)
    {
        Inputs inputs = Inputs.Normal(call);
        Outputs<double> exact = call.Exact(inputs);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel bound = call.Kernel.For(instructionSet);
            Outputs<float> actual = call.Run(bound, inputs);
            Difference difference = Difference.Between(call, exact, actual);
            Assert.True(difference.Output < 2e-6, $"{bound.Name}: {difference.Where}");

            // Far from 0 it is rounded once.
            foreach ((double sum, float computed) in exact.LogSumExp.Zip(actual.LogSumExp).Where(static pair => Math.Abs(pair.First) < float.MaxValue))
                Assert.True(Math.Abs(sum - computed) <= 2e-6 + Math.Abs(sum) / (1 << 24), $"{bound.Name}: log-sum-exp is {computed:R}, exactly {sum:R}");
        }
    }
}
