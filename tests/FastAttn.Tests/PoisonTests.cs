using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>NaN, infinities and huge numbers: they reach the queries that see them, and no others.</summary>
public static class PoisonTests
{
    private static readonly float SignallingNaN = BitConverter.Int32BitsToSingle(0x7F80_0001);

    private static readonly float[] Poisons = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, SignallingNaN, float.MaxValue];

    public static TheoryData<string> Kernels => TestKernels.FewNames;

    public static TheoryData<string> CausalKernels => [.. TestKernels.Few.Where(static kernel => kernel.Mask == AttentionMask.Causal).Select(TestKernels.NameOf)];

    [Theory]
    [MemberData(nameof(CausalKernels))]
    public static void Masked_key_or_value_never_reaches_the_output(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (Case call in CausalCases(kernel))
        {
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Inputs clean = Inputs.Normal(call);
                Outputs<float> expected = Evaluate.Kernel(bound, call, clean);
                foreach (float poison in Poisons)
                {
                    foreach (int key in Budget.IsSmall ? [call.Shape.KeyLength / 2] : (int[])[0, call.Shape.KeyLength / 2, call.Shape.KeyLength - 1])
                    {
                        Inputs poisonedKey = clean.Copy(), poisonedValue = clean.Copy();
                        int head = call.Shape.KeyValueHeads - 1;
                        poisonedKey.Key[call.KeyRows.Start(0, head, key) + key % call.HeadDim] = poison;
                        poisonedValue.Value.AsSpan(call.ValueRows.Start(0, head, key), call.ValueDim)[(key % call.ValueDim)..].Fill(poison);
                        CheckQueriesThatSee(bound, call, expected, poisonedKey, "key", head, key, poison);
                        CheckQueriesThatSee(bound, call, expected, poisonedValue, "value", head, key, poison);
                    }
                }
            }
        }
    }

    /// <summary>As the rest of a cache that is longer than what is in it.</summary>
    [Theory]
    [MemberData(nameof(CausalKernels))]
    public static void Keys_and_values_that_no_query_sees_may_hold_anything(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            foreach (float poison in Poisons)
            {
                // The last query sees all keys but the last 40.
                var call = new Case(kernel, new(1, 2, 1, 50, 140)) { CausalOffset = 50, Value = RowPlacement.RoundedUp };
                Inputs clean = Inputs.Normal(call), poisoned = clean.Copy();
                for (int key = 100; key < 140; key++)
                {
                    poisoned.Key.AsSpan(call.KeyRows.Start(0, 0, key), call.HeadDim).Fill(poison);
                    poisoned.Value.AsSpan(call.ValueRows.Start(0, 0, key), call.ValueDim).Fill(poison);
                }

                Compare.SameBits($"{bound.Name}: {call}: {poison}", Evaluate.Kernel(bound, call, clean), Evaluate.Kernel(bound, call, poisoned));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Poison_in_one_query_reaches_its_row_alone(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [3, 40] : (int[])[3, 8, 40, 65])
        {
            var call = new Case(kernel, new(1, 2, 1, queryLength, 70)) { Query = RowPlacement.Padded };
            Inputs clean = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Outputs<float> expected = Evaluate.Kernel(bound, call, clean);
                foreach (float poison in Poisons)
                {
                    int head = queryLength % 2, query = queryLength / 2, row = head * queryLength + query;
                    Inputs poisoned = clean.Copy();
                    poisoned.Query[call.QueryRows.Start(0, head, query) + call.HeadDim / 2] = poison;
                    Outputs<float> actual = Evaluate.Kernel(bound, call, poisoned);
                    string what = $"{bound.Name}: {call}: {poison} in query ({head}, {query})";

                    // Whether sums with float.MaxValue overflow depends on their order.
                    if (poison != float.MaxValue)
                    {
                        Outputs<float> naive = Evaluate.Naive(call, poisoned);
                        Compare.SameClass(what, naive.Output, actual.Output);
                        Compare.SameClass(what, naive.LogSumExp, actual.LogSumExp);
                    }

                    expected.Output.AsSpan(row * call.ValueDim, call.ValueDim).CopyTo(actual.Output.AsSpan(row * call.ValueDim));
                    actual.LogSumExp[row] = expected.LogSumExp[row];
                    Compare.SameBits(what, expected, actual);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Poison_in_stride_gaps_never_reaches_the_output(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.Padded, RowPlacement.PaddedTokens, RowPlacement.RoundedUp])
            {
                foreach (int queryLength in Budget.IsSmall ? [1, 30] : (int[])[1, 30, 60])
                {
                    var call = new Case(kernel, new(2, 2, 2, queryLength, 101)) { Query = placement, Key = placement, Value = placement };
                    Inputs poisoned = Inputs.Normal(call), clean = poisoned.Copy();
                    foreach (float[] buffer in (float[][])[clean.Query, clean.Key, clean.Value])
                        buffer.AsSpan().Replace(float.NaN, 0);
                    Compare.SameBits($"{bound.Name}: {call}", Evaluate.Kernel(bound, call, clean), Evaluate.Kernel(bound, call, poisoned));
                }
            }
        }
    }

    private static Case[] CausalCases(AttentionKernel kernel) =>
    [
        new(kernel, new(1, 1, 1, 33, 33)) { Seed = 1 },
        new(kernel, new(1, 2, 1, 50, 110)) { Seed = 2, Value = RowPlacement.RoundedUp },
        new(kernel, new(1, 2, 2, 100, 40)) { Seed = 3, Key = RowPlacement.Padded, Value = RowPlacement.Padded },
        new(kernel, new(1, 4, 2, 5, 9)) { Seed = 4, CausalOffset = 1 },
        new(kernel, new(1, 1, 1, 3, 7)) { Seed = 5, CausalOffset = 2 },
        new(kernel, new(1, 4, 1, 20, 30)) { Seed = 6, CausalOffset = 0, KeyBlock = 5, Layout = AttentionLayout.BatchLengthHeadDim },
    ];

    private static void CheckQueriesThatSee(
        AttentionKernel kernel, Case call, Outputs<float> clean, Inputs poisoned, string buffer, int keyValueHead, int key, float poison)
    {
        Outputs<float> actual = Evaluate.Kernel(kernel, call, poisoned), naive = Evaluate.Naive(call, poisoned);
        int group = call.Shape.QueryHeads / call.Shape.KeyValueHeads;
        for (int h = 0; h < call.Shape.QueryHeads; h++)
        {
            for (int i = 0; i < call.Shape.QueryLength; i++)
            {
                string what = $"{kernel.Name}: {call}: {poison} in {buffer} {key} of head {keyValueHead}, query ({h}, {i})";
                Range row = Row(call.OutputRows.Start(0, h, i), call.ValueDim), logSumExp = Row(h * call.Shape.QueryLength + i, 1);
                if (h / group != keyValueHead || call.VisibleKeys(i) <= key)
                {
                    Compare.SameBits(what, clean.Output.AsSpan(row), actual.Output.AsSpan(row));
                    Compare.SameBits(what, clean.LogSumExp.AsSpan(logSumExp), actual.LogSumExp.AsSpan(logSumExp));
                }
                else if (poison != float.MaxValue || buffer != "key")
                {
                    // Whether a dot product with float.MaxValue overflows depends on its order.
                    Compare.SameClass(what, naive.Output.AsSpan(row), actual.Output.AsSpan(row));
                    Compare.SameClass(what, naive.LogSumExp.AsSpan(logSumExp), actual.LogSumExp.AsSpan(logSumExp));
                }
            }
        }

        static Range Row(int start, int length) => start..(start + length);
    }
}
