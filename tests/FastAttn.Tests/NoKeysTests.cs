using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Queries without keys, and calls without queries.</summary>
public static class NoKeysTests
{
    public static TheoryData<string> Kernels => TestKernels.FewNames;

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Query_that_sees_no_key_has_zeros_and_minus_infinity(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [1, 50] : (int[])[1, 5, 9, 50, 100])
        {
            CheckRowsWithoutKeys(kernel, new Case(kernel, new(2, 2, 1, queryLength, 0)));
            CheckRowsWithoutKeys(kernel, new Case(kernel, new(2, 2, 1, queryLength, 0)) { PositionOffset = 7, Output = RowPlacement.Padded });
            foreach (int offset in (int[])[-1, -3, -queryLength / 2, -queryLength, -queryLength - 1, int.MinValue])
            {
                var call = new Case(kernel, new(1, 2, 1, queryLength, 30)) { PositionOffset = offset };
                CheckRowsWithoutKeys(kernel, call);
                CheckRowsWithoutKeys(kernel, call with { KeyBlock = 1, Value = RowPlacement.Padded });
            }

            // More queries than keys: the first have none.
            CheckRowsWithoutKeys(kernel, new Case(kernel, new(1, 1, 1, queryLength + 10, 10)));
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Call_without_queries_writes_nothing(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            foreach (AttentionShape shape in (AttentionShape[])[new(0, 2, 1, 5, 7), new(2, 2, 1, 0, 7), new(2, 2, 2, 0, 0), new(2, 0, 2, 5, 7), new(2, 0, 0, 5, 7), default])
            {
                foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.OfLayout, RowPlacement.Padded])
                {
                    var call = new Case(kernel, shape) { Query = placement, Output = placement, Threads = 2 };
                    Outputs<float> actual = call.Run(bound, Inputs.Normal(call));
                    Assert.True(actual.Output.All(Canary.Is), $"{bound.Name}: {call}: output was written.");
                    Assert.Empty(actual.LogSumExp);
                }
            }
        }
    }

    private static void CheckRowsWithoutKeys(AttentionKernel kernel, Case call)
    {
        Inputs inputs = Inputs.Normal(call);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            Outputs<float> actual = call.Run(bound, inputs);
            Rows rows = call.OutputRows;
            for (int b = 0, row = 0; b < rows.Batch; b++)
            {
                for (int h = 0; h < rows.Heads; h++)
                {
                    for (int i = 0; i < rows.Length; i++, row++)
                        CheckRow($"{bound.Name}: {call}: query ({b}, {h}, {i})", call.VisibleKeys(i) > 0, actual.Output.AsSpan(rows.Start(b, h, i), rows.Dim), actual.LogSumExp[row]);
                }
            }

            Compare.GapsAreUntouched(bound, call, actual);
        }
    }

    private static void CheckRow(string what, bool seesKeys, ReadOnlySpan<float> output, float logSumExp)
    {
        foreach (float value in output)
        {
            if (seesKeys ? !float.IsFinite(value) : value != 0)
                Assert.Fail($"{what} {(seesKeys ? "sees keys" : "sees no key")} and has an output of {value}.");
        }

        if (seesKeys ? !float.IsFinite(logSumExp) : !float.IsNegativeInfinity(logSumExp))
            Assert.Fail($"{what} {(seesKeys ? "sees keys" : "sees no key")} and has a log-sum-exp of {logSumExp}.");
    }
}
