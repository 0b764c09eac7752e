using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>What a query's result does not depend on, to the bit.</summary>
public static class BitEqualityTests
{
    public static TheoryData<string> Kernels => TestKernels.FewNames;

    public static TheoryData<AttentionFeatures> Features => [.. FeatureCases.EachAndAll];

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Number_of_threads_changes_no_bit(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);

        // Enough multiply-adds for 16 threads (TiledJob.WorkPerThread), where that is affordable.
        int length = (int)Math.Clamp(Math.Sqrt(Budget.Of(32_000_000, 5_000_000) / (8 * (kernel.HeadDim + kernel.ValueDim))), 40, 400);
        CheckThreads(kernel, new Case(kernel, new(2, 4, 2, length, length)), Budget.IsSmall ? [2, 3] : [2, 3, 7, 16, 0, -1]);
    }

    [Theory]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.Ragged)]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.Lengths)]
    [InlineData(AttentionFeatures.Window | AttentionFeatures.Ragged)]
    [InlineData(AttentionFeatures.BooleanMask)]
    public static void Number_of_threads_changes_no_bit_with_features(AttentionFeatures features)
    {
        // Enough multiply-adds for 16 threads at 2 million each (TiledJob.WorkPerThread), where that is affordable.
        int length = Budget.Of(180, 60);
        Case call = FeatureCases.DrawFor(features, length, call => call with { Shape = new(2, 4, 2, length, length) });
        CheckThreads(call.Kernel, call, Budget.IsSmall ? [2, 3] : [2, 3, 7, 16, 0, -1]);
    }

    /// <summary>
    /// Sinks with windows over keys of several parts: which keys the other queries of a tile see changes no bit. With key blocks of 1 a part
    /// has 32 keys.
    /// </summary>
    [Fact]
    public static void Number_of_threads_changes_no_bit_with_sinks_and_a_window()
    {
        Case call = SinksAndWindow(keyValueHeads: 2, queries: 60) with { Shape = new(2, 12, 2, 60, 200) };
        CheckThreads(call.Kernel, call, [2, 8, 64]);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Batch_that_a_sequence_is_part_of_changes_no_bit(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [5, 20] : (int[])[1, 5, 20, 50])
            CheckSequences(kernel, new Case(kernel, new(3, 4, 2, queryLength, 41)));
    }

    /// <summary>Padded and ragged: a sequence alone, its rows copied out, has the same results.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Batch_that_a_sequence_is_part_of_changes_no_bit_with_features(AttentionFeatures features)
    {
        foreach (int queryLength in Budget.IsSmall ? [2, 20] : (int[])[1, 2, 5, 9, 20, 50])
        {
            Case call = FeatureCases.DrawFor(features, queryLength, static call => call with { Shape = call.Shape with { Batch = 3, QueryHeads = 4, KeyValueHeads = 2 } });
            CheckSequences(call.Kernel, call);
        }
    }

    /// <summary>Groups are worked on together where queries are few; each query's arithmetic stays the same.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Grouped_heads_equal_repeated_heads(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [1, 5, 20] : (int[])[1, 2, 3, 5, 8, 9, 16, 20, 50])
            CheckGroups(kernel, new Case(kernel, new(2, 6, 1, queryLength, 43)));
    }

    [Theory]
    [MemberData(nameof(Features))]
    public static void Grouped_heads_equal_repeated_heads_with_features(AttentionFeatures features)
    {
        foreach (int queryLength in Budget.IsSmall ? [2, 20] : (int[])[1, 2, 5, 9, 20, 50])
        {
            Case call = FeatureCases.DrawFor(features, queryLength, static call => call with { Shape = call.Shape with { QueryHeads = 6, KeyValueHeads = 1 } });
            CheckGroups(call.Kernel, call);
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Place_of_the_rows_changes_no_bit(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [1, 21] : (int[])[1, 6, 21, 50])
        {
            var dense = new Case(kernel, new(2, 2, 2, queryLength, 101));
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Outputs<float> expected = dense.Run(bound, Inputs.Normal(dense));
                float[] rows = dense.OutputRows.Gather(expected.Output);
                foreach (RowPlacement placement in Enum.GetValues<RowPlacement>().Where(static placement => placement is not (RowPlacement.Repeated or RowPlacement.RepeatedHeads)))
                {
                    // Inputs are drawn row by row, so that they are the same in every place.
                    Case call = dense with { Layout = AttentionLayout.BatchLengthHeadDim, Query = placement, Key = placement, Value = placement, Output = placement };
                    Outputs<float> actual = call.Run(bound, Inputs.Normal(call));
                    Compare.SameBits($"{bound.Name}: {call}, output", rows, call.OutputRows.Gather(actual.Output));
                    Compare.SameBits($"{bound.Name}: {call}, logSumExp", expected.LogSumExp, actual.LogSumExp);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Asking_for_the_log_sum_exp_changes_no_bit(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in (int[])[1, 50])
            CheckWithoutLogSumExp(kernel, new Case(kernel, new(2, 2, 2, queryLength, 101)));
    }

    [Theory]
    [MemberData(nameof(Features))]
    public static void Asking_for_the_log_sum_exp_changes_no_bit_with_features(AttentionFeatures features)
    {
        foreach (int queryLength in (int[])[2, 30])
        {
            Case call = FeatureCases.DrawFor(features, queryLength, static call => call);
            CheckWithoutLogSumExp(call.Kernel, call);
        }
    }

    /// <summary>So many keys that query tiles share each block, though nothing is copied.</summary>
    [Fact]
    public static void Queries_beside_it_change_no_bit_over_many_keys()
    {
        const int HeadDim = 128, Queries = 90, PartQueries = 15, Keys = 4200;
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(HeadDim);
        var call = new Case(kernel, new(1, 1, 1, Queries, Keys));
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionKernel bound in InstructionSets.Supported.Where(static isa => isa != InstructionSet.Scalar || !Budget.IsSmall).Select(kernel.For))
        {
            Outputs<float> actual = call.Run(bound, inputs);
            for (int first = 0; first < Queries; first += PartQueries)
            {
                Inputs part = inputs with { Query = inputs.Query[(first * HeadDim)..((first + PartQueries) * HeadDim)] };
                Outputs<float> expected = (call with { Shape = new(1, 1, 1, PartQueries, Keys) }).Run(bound, part);
                Compare.SameBits($"{bound.Name}: queries from {first}", expected.Output, actual.Output.AsSpan(first * HeadDim, PartQueries * HeadDim).ToArray());
            }
        }
    }

    /// <summary>The last queries of many, alone: as <see cref="Number_of_threads_changes_no_bit_with_sinks_and_a_window"/>.</summary>
    [Fact]
    public static void Queries_before_it_change_no_bit_with_sinks_and_a_window()
    {
        const int Queries = 60, Last = 18;
        Case call = SinksAndWindow(keyValueHeads: 12, Queries), last = SinksAndWindow(keyValueHeads: 12, Last);
        Inputs inputs = Inputs.Normal(call);
        int first = (Queries - Last) * call.Shape.QueryHeads * call.HeadDim;
        Inputs lastInputs = inputs with { Query = inputs.Query.AsSpan(first).ToArray() };
        foreach (AttentionKernel kernel in InstructionSets.Supported.Select(call.Kernel.For))
            Compare.SameBits(kernel.Name, call.Run(kernel, inputs).Output.AsSpan(first), last.Run(kernel, lastInputs).Output);
    }

    private static Case SinksAndWindow(int keyValueHeads, int queries) => new(16, 16, AttentionMask.Causal, new(1, 12, keyValueHeads, queries, 200))
    {
        Layout = AttentionLayout.BatchLengthHeadDim,
        KeyBlock = 1,
        Window = new(30, 0),
        Sinks = [.. Enumerable.Range(0, 12).Select(static head => head - 3f)],
    };

    private static void CheckThreads(AttentionKernel kernel, Case call, int[] threads)
    {
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            Outputs<float> expected = call.Run(bound, inputs);
            foreach (int count in threads)
            {
                Case threaded = call with { Threads = count };
                Compare.SameBits($"{bound.Name}: {threaded}", expected, threaded.Run(bound, inputs));
            }
        }
    }

    private static void CheckSequences(AttentionKernel kernel, Case whole)
    {
        Inputs inputs = Inputs.Normal(whole);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            Outputs<float> actual = whole.Run(bound, inputs);
            for (int b = 0; b < whole.Shape.Batch; b++)
            {
                Sequence sequence = Sequence.Of(whole, b);
                Compare.SameBits($"{bound.Name}: {whole}, sequence {b}", sequence.Call.Run(bound, sequence.InputsOf(inputs)), sequence.OutputsOf(actual));
            }
        }
    }

    /// <summary>A stride of 0 repeats the one head of keys and values for each query head.</summary>
    private static void CheckGroups(AttentionKernel kernel, Case call)
    {
        Case grouped = call with { Key = RowPlacement.RepeatedHeads, Value = RowPlacement.RepeatedHeads };
        Case repeated = grouped with { Shape = grouped.Shape with { KeyValueHeads = grouped.Shape.QueryHeads } };
        Inputs inputs = Inputs.Normal(grouped);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            Compare.SameBits($"{bound.Name}: {grouped}", repeated.Run(bound, inputs), grouped.Run(bound, inputs));
    }

    private static void CheckWithoutLogSumExp(AttentionKernel kernel, Case call)
    {
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            float[] expected = call.Run(bound, inputs).Output, actual = call.NewOutputs().Output;
            call.Run(bound, inputs, actual);
            Compare.SameBits($"{bound.Name}: {call}", expected, actual);
        }
    }
}
