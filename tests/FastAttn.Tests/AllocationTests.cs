using System;
using System.Linq;
using System.Threading;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>After the first call nothing is allocated on the managed heap, whatever the features.</summary>
[Collection(AloneCollection.Name)]
public static class AllocationTests
{
    // Never cancelled, but looked at.
    private static readonly CancellationTokenSource s_source = new();

    public static TheoryData<string> Kernels => TestKernels.FewNames;

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Call_on_one_thread_allocates_nothing(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in (int[])[1, 60])
            AllocatesNothing(kernel, new Case(kernel, new(1, 4, 2, queryLength, 50)) { Layout = AttentionLayout.BatchLengthHeadDim });
    }

    [Fact]
    public static void Call_on_many_threads_allocates_nothing()
    {
        // Some 10 (4) million multiply-adds: shared by up to 5 (2) threads.
        AttentionShape shape = Budget.IsSmall ? new(1, 4, 4, 90, 90) : new(2, 4, 4, 100, 100);
        Case call = new(DeclaredKernels.Causal64, shape) { Threads = 5, CancellationToken = s_source.Token };
        Inputs inputs = Inputs.Normal(call);
        Outputs<float> outputs = call.NewOutputs();
        Allocations.AreNoneInTheProcess($"{call}", rounds: 20, calls: Budget.Of(200, 10), () => call.Run(DeclaredKernels.Causal64, inputs, outputs));
    }

    [Theory]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.Ragged)]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.Lengths)]
    public static void Call_with_features_allocates_nothing(AttentionFeatures features)
    {
        foreach (int queryLength in (int[])[1, 60])
        {
            Case call = FeatureCases.Draw(new Random(1), new Case(64, 64, AttentionMask.Causal, new(2, 4, 2, queryLength, 90)), features);

            call = Warm(call);
            AllocatesNothing(call.Kernel, call);

            Inputs inputs = Inputs.Normal(call);
            Outputs<float> outputs = call.NewOutputs();
            Allocations.AreNone(
                $"{call}, without a kernel",
                () => ScaledDotProductAttention.Forward(
                    call.QueryRows.Input(inputs.Query), call.KeyRows.Input(inputs.Key), call.ValueRows.Input(inputs.Value), call.OutputRows.Output(outputs.Output), call.GivenShape, 64,
                    AttentionMask.Causal, call.Options, call.Execution, 64));
        }
    }

    /// <summary>Poison in hidden values makes a tile be computed again, with care.</summary>
    [Fact]
    public static void Call_with_poison_in_hidden_values_allocates_nothing()
    {
        var call = new Case(64, 64, AttentionMask.None, new(2, 4, 2, 60, 90)) { KeyLengths = [50, 20] };
        Inputs inputs = Inputs.Normal(call);
        for (int j = 60; j < 90; j++)
            inputs.Value.AsSpan(call.ValueRows.Start(0, 0, j), 64).Fill(float.NaN);
        AllocatesNothing(call.Kernel, call, inputs);
    }

    [Fact]
    public static void Call_with_queries_and_outputs_of_16_bits_allocates_nothing()
    {
        foreach (int queryLength in (int[])[1, 60])
        {
            var shape = new AttentionShape(1, 4, 2, queryLength, 90);
            float[] tokens = new float[2 * 90 * 48], sums = new float[4 * queryLength];
            Half[] halves = new Half[4 * queryLength * 48];
            BFloat16[] bfloats = new BFloat16[halves.Length];
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(ScaledDotProductAttention.GetKernel(48).For))
            {
                Allocations.AreNone($"{bound.Name}, {queryLength} halves", () => bound.Forward(halves, tokens, tokens, new AttentionOutput(bfloats, sums), shape));
                Allocations.AreNone($"{bound.Name}, {queryLength} bfloat16 numbers", () => bound.Forward(bfloats, tokens, tokens, halves, shape));
            }
        }
    }

    [Fact]
    public static void Merge_allocates_nothing()
    {
        var shape = new AttentionShape(2, 4, 60);
        float[] output = new float[2 * 4 * 60 * 64], logSumExp = new float[2 * 4 * 60], other = new float[output.Length], otherSum = new float[logSumExp.Length];
        Allocations.AreNone("merge", () => new AttentionOutput(output, logSumExp).Merge(new AttentionOutput(other, otherSum), shape, 64));
    }

    private static void AllocatesNothing(AttentionKernel kernel, Case call, Inputs? inputs = null)
    {
        call = Warm(call);
        inputs ??= Inputs.Normal(call);
        Outputs<float> outputs = call.NewOutputs();
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            Allocations.AreNone($"{bound.Name}: {call}", () => call.Run(bound, inputs, outputs));
    }

    /// <summary>The case with a token, and with the offsets that it would else work out anew, which allocates, for each call.</summary>
    private static Case Warm(Case call) => call with { CancellationToken = s_source.Token, PositionOffsets = call.GivenOffsets };
}
