using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>After the first call nothing is allocated on the managed heap, whatever the features.</summary>
[Collection(AloneCollection.Name)]
public static class FeatureAllocationTests
{
    [Theory]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.Ragged)]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.KeyLengths)]
    public static void Call_with_features_allocates_nothing(AttentionFeatures features)
    {
        foreach (int queryLength in (int[])[1, 60])
        {
            FeatureCase call = FeatureCases.Draw(new Random(1), new Case(64, 64, AttentionMask.Causal, new(2, 4, 2, queryLength, 90)), features);
            call = call with { CausalOffsets = call.GivenOffsets };
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Inputs inputs = call.Normal();
                Outputs<float> outputs = call.Run(bound, inputs);
                AttentionShape shape = call.Call.Shape;
                AttentionOptions options = call.Options;
                AllocatesNothing(
                    $"{bound.Name}: {call}",
                    () => bound.Forward(inputs.Query, inputs.Key, inputs.Value, outputs.Output, outputs.LogSumExp, shape, call.Modifiers, options));
                AllocatesNothing(
                    $"{bound.Name}: {call}, without a kernel",
                    () => ScaledDotProductAttention.Forward(inputs.Query, inputs.Key, inputs.Value, outputs.Output, shape, 64, call.Modifiers, 64, AttentionMask.Causal, options));
            }
        }
    }

    /// <summary>Poison in hidden values makes a tile be computed again, with care.</summary>
    [Fact]
    public static void Call_with_poison_in_hidden_values_allocates_nothing()
    {
        var call = new FeatureCase(new Case(64, 64, AttentionMask.None, new(2, 4, 2, 60, 90))) { KeyLengths = [50, 20] };
        Inputs inputs = call.Normal();
        for (int j = 60; j < 90; j++)
            inputs.Value.AsSpan(call.Call.ValueRows.Start(0, 0, j), 64).Fill(float.NaN);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
        {
            Outputs<float> outputs = call.Run(bound, inputs);
            AttentionShape shape = call.Call.Shape;
            AttentionOptions options = call.Options;
            AllocatesNothing(
                $"{bound.Name}: {call}",
                () => bound.Forward(inputs.Query, inputs.Key, inputs.Value, outputs.Output, outputs.LogSumExp, shape, call.Modifiers, options));
        }
    }

    [Fact]
    public static void Merge_allocates_nothing()
    {
        var shape = new AttentionShape(2, 4, 60);
        float[] output = new float[2 * 4 * 60 * 64], logSumExp = new float[2 * 4 * 60], other = new float[output.Length], otherSum = new float[logSumExp.Length];
        AllocatesNothing("merge", () => AttentionState.Merge(output, logSumExp, other, otherSum, shape, 64));
    }

    /// <summary>In one of five rounds: see <see cref="AllocationTests"/>.</summary>
    private static void AllocatesNothing(string what, Action call)
    {
        call();
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 10; i++)
                call();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(least == 0, $"{what}: {least} bytes in 10 calls.");
    }
}
