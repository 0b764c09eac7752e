using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Kernels;

namespace FastAttn.Tests.Fixtures;

/// <summary>Calls whose buffers lie against guard pages, at either side.</summary>
internal static class GuardSweep
{
    private const int Capacity = 1 << 18;

    /// <summary>Runs all; a call that touches what it must not ends the process, right after its name was announced.</summary>
    /// <param name="announce">Told each case before it runs.</param>
    /// <returns>How many calls.</returns>
    public static int Run(Action<string> announce)
    {
        using GuardedBuffer query = new(Capacity), key = new(Capacity), value = new(Capacity), output = new(Capacity), logSumExp = new(Capacity);
        int calls = 0;
        foreach (Case call in TestKernels.Few.SelectMany(CasesOf))
        {
            AttentionKernel kernel = TestKernels.Few.Single(kernel => (kernel.HeadDim, kernel.ValueDim, kernel.Mask) == (call.HeadDim, call.ValueDim, call.Mask));
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Outputs<float> expected = Evaluate.Kernel(bound, call, inputs);
                foreach (bool atEnd in (bool[])[true, false])
                {
                    string what = $"{bound.Name}: {call}, {(atEnd ? "before" : "behind")} guard pages";
                    announce(what);
                    Span<float> q = query.Take(inputs.Query.Length, atEnd), k = key.Take(inputs.Key.Length, atEnd), v = value.Take(inputs.Value.Length, atEnd);
                    inputs.Query.CopyTo(q);
                    inputs.Key.CopyTo(k);
                    inputs.Value.CopyTo(v);
                    output.Fill(Evaluate.Canary);
                    logSumExp.Fill(Evaluate.Canary);
                    Span<float> o = output.Take(expected.Output.Length, atEnd), lse = logSumExp.Take(expected.LogSumExp.Length, atEnd);

                    bound.Forward(q, k, v, o, lse, call.Shape, call.Options);
                    calls++;
                    Compare.SameBits(what, expected.Output, o);
                    Compare.SameBits(what, expected.LogSumExp, lse);
                    if (!output.RestIs(Evaluate.Canary, o.Length, atEnd) || !logSumExp.RestIs(Evaluate.Canary, lse.Length, atEnd))
                        throw new InvalidOperationException($"{what}: wrote outside its outputs.");
                }
            }
        }

        return calls;
    }

    /// <summary>Reads a guard page: ends the process.</summary>
    public static void Crash()
    {
        using GuardedBuffer buffer = new(1);
        Console.WriteLine(buffer.ReadPastTheEnd());
    }

    private static IEnumerable<Case> CasesOf(AttentionKernel kernel)
    {
        (int Query, int Key)[] lengths = Budget.IsSmall
            ? [(1, 7), (9, 3), (17, 100)]
            : [(1, 1), (1, 7), (1, 97), (3, 5), (5, 2), (9, 3), (13, 33), (17, 100), (33, 9), (49, 65), (50, 97), (65, 31)];
        foreach ((int queryLength, int keyLength) in lengths)
        {
            foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.OfLayout, RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost])
            {
                yield return new Case(kernel, new(1 + queryLength % 2, 2, 1 + keyLength % 2, queryLength, keyLength))
                {
                    Query = placement,
                    Key = placement,
                    Value = placement,
                    Output = placement,
                    Layout = (AttentionLayout)(queryLength / 2 % 2),
                    CausalOffset = keyLength % 3 == 0 ? 1 : null,
                    Seed = queryLength,
                };
            }
        }
    }
}
