using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Few queries and many keys: decoding.</summary>
public static class ShortQueryTests
{
    public static TheoryData<string> Kernels => TestKernels.ManyNames;

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Few_queries_over_many_keys_give_the_formula(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        var accuracy = new Accuracy(kernel);
        int seed = TestKernels.All.IndexOf(kernel);
        foreach (int queryLength in (int[])[1, 2, 3, 7, 9])
        {
            foreach ((int queryHeads, int keyValueHeads) in ((int, int)[])[(1, 1), (4, 2), (8, 1)])
            {
                if (seed++ % Budget.Of(1, 5) != 0)
                    continue;
                int keyLength = (seed % 8) switch { 0 => 1, 1 => 5, 2 => 95, 3 => 96, 4 => 97, 5 => 193, 6 => 300, _ => Budget.Of(1025, 385) };
                accuracy.Check(new Case(kernel, new(1 + seed % 2, queryHeads, keyValueHeads, queryLength, keyLength))
                {
                    PositionOffset = seed % 3 == 0 ? keyLength / 2 : null,
                    Layout = (AttentionLayout)(seed % 2),
                    Query = (RowPlacement)(seed % 5),
                    Key = (RowPlacement)(seed % 6),
                    Value = (RowPlacement)(seed / 2 % 6),
                    Output = (RowPlacement)(seed / 3 % 5),
                    Seed = seed,
                });
            }
        }

        accuracy.CheckAll();
    }
}
