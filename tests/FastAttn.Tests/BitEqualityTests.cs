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

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Number_of_threads_changes_no_bit(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);

        // Enough multiply-adds for 16 threads (TiledJob.WorkPerThread), where that is affordable.
        int length = (int)Math.Clamp(Math.Sqrt(Budget.Of(32_000_000, 5_000_000) / (8 * (kernel.HeadDim + kernel.ValueDim))), 40, 400);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            var call = new Case(bound, new(2, 4, 2, length, length));
            Inputs inputs = Inputs.Normal(call);
            Outputs<float> expected = Evaluate.Kernel(bound, call, inputs);
            foreach (int threads in Budget.IsSmall ? [2, 3] : (int[])[2, 3, 7, 16, 0])
                Compare.SameBits($"{bound.Name}: {call}, {threads} threads", expected, Evaluate.Kernel(bound, call with { Threads = threads }, inputs));
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Batch_that_a_sequence_is_part_of_changes_no_bit(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [5, 20] : (int[])[1, 5, 20, 50])
        {
            var call = new Case(kernel, new(3, 4, 2, queryLength, 41));
            var single = new Case(kernel, call.Shape with { Batch = 1 });
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Outputs<float> actual = Evaluate.Kernel(bound, call, inputs);
                for (int b = 0; b < call.Shape.Batch; b++)
                {
                    Inputs part = new(
                        Part(inputs.Query, b, single.QueryRows.Elements), Part(inputs.Key, b, single.KeyRows.Elements), Part(inputs.Value, b, single.ValueRows.Elements));
                    Outputs<float> expected = Evaluate.Kernel(bound, single, part);
                    Outputs<float> actualPart = new(Part(actual.Output, b, single.OutputRows.Elements), Part(actual.LogSumExp, b, single.LogSumExpElements));
                    Compare.SameBits($"{bound.Name}: {call}, sequence {b}", expected, actualPart);
                }
            }
        }

        static float[] Part(float[] buffer, int index, int length) => buffer[(index * length)..((index + 1) * length)];
    }

    /// <summary>Groups are worked on together where queries are few; each query's arithmetic stays the same.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Grouped_heads_equal_repeated_heads(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [1, 5, 20] : (int[])[1, 2, 3, 5, 8, 9, 16, 20, 50])
        {
            // A stride of 0 repeats the one head of keys and values for each query head.
            var grouped = new Case(kernel, new(2, 6, 1, queryLength, 43));
            AttentionStrides keyStrides = grouped.KeyRows.Strides, valueStrides = grouped.ValueRows.Strides;
            AttentionOptions repeated = grouped.Options with { KeyStrides = keyStrides with { Head = 0 }, ValueStrides = valueStrides with { Head = 0 } };
            Inputs inputs = Inputs.Normal(grouped);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Outputs<float> actual = Evaluate.Kernel(bound, grouped, inputs);
                Outputs<float> expected = new(new float[actual.Output.Length], new float[actual.LogSumExp.Length]);
                bound.Forward(inputs.Query, inputs.Key, inputs.Value, expected.Output, expected.LogSumExp, grouped.Shape with { KeyValueHeads = 6 }, repeated);
                Compare.SameBits($"{bound.Name}: {grouped}", expected, actual);
            }
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
                Outputs<float> expected = Evaluate.Kernel(bound, dense, Inputs.Normal(dense));
                float[] rows = Rowwise(dense, expected);
                foreach (RowPlacement placement in Enum.GetValues<RowPlacement>().Where(static placement => placement != RowPlacement.Repeated))
                {
                    // Inputs are drawn row by row, so that they are the same in every place.
                    Case call = dense with { Layout = AttentionLayout.BatchLengthHeadDim, Query = placement, Key = placement, Value = placement, Output = placement };
                    Outputs<float> actual = Evaluate.Kernel(bound, call, Inputs.Normal(call));
                    Compare.SameBits($"{bound.Name}: {call}, output", rows, Rowwise(call, actual));
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
        {
            var call = new Case(kernel, new(2, 2, 2, queryLength, 101));
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                var actual = new float[call.OutputRows.Elements];
                bound.Forward(inputs.Query, inputs.Key, inputs.Value, actual, call.Shape, call.Options);
                Compare.SameBits($"{bound.Name}: {call}", Evaluate.Kernel(bound, call, inputs).Output, actual);
            }
        }
    }

    /// <summary>So many keys that query tiles share each block, though nothing is copied.</summary>
    [Fact]
    public static void Queries_beside_it_change_no_bit_over_many_keys()
    {
        const int HeadDim = 128, Queries = 90, PartQueries = 15, Keys = 4200;
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(HeadDim, HeadDim);
        var call = new Case(kernel, new(1, 1, 1, Queries, Keys));
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionKernel bound in InstructionSets.Supported.Where(static isa => isa != InstructionSet.Scalar || !Budget.IsSmall).Select(kernel.For))
        {
            Outputs<float> actual = Evaluate.Kernel(bound, call, inputs);
            for (int first = 0; first < Queries; first += PartQueries)
            {
                Inputs part = inputs with { Query = inputs.Query[(first * HeadDim)..((first + PartQueries) * HeadDim)] };
                Outputs<float> expected = Evaluate.Kernel(bound, call with { Shape = new(1, 1, 1, PartQueries, Keys) }, part);
                Compare.SameBits($"{bound.Name}: queries from {first}", expected.Output, actual.Output.AsSpan(first * HeadDim, PartQueries * HeadDim).ToArray());
            }
        }
    }

    /// <summary>The output's rows in the order batch, head, query.</summary>
    private static float[] Rowwise(Case call, Outputs<float> outputs)
    {
        Rows rows = call.OutputRows;
        return
        [
            .. from b in Enumerable.Range(0, rows.Batch)
               from h in Enumerable.Range(0, rows.Heads)
               from i in Enumerable.Range(0, rows.Length)
               from c in Enumerable.Range(rows.Start(b, h, i), rows.Dim)
               select outputs.Output[c],
        ];
    }
}
