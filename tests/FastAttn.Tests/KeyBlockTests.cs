using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Forced key blocks: every block edge, and many steps of the online softmax, with small sizes.</summary>
public static class KeyBlockTests
{
    public static TheoryData<string> Kernels => TestKernels.FewNames;

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Any_key_block_gives_the_formula(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        var accuracy = new Accuracy(kernel);
        int seed = 0;
        foreach (int keyBlock in (int[])[1, 2, 3, 5, 7, 8, 13, 64])
        {
            foreach ((int queryLength, int keyLength) in Budget.IsSmall ? SmallSizes : Sizes)
            {
                accuracy.Check(new Case(kernel, new(1, 2, 1, queryLength, keyLength))
                {
                    KeyBlock = keyBlock,
                    PositionOffset = (seed % 4) switch { 0 => null, 1 => 0, 2 => 2, _ => -queryLength / 3 },
                    Key = seed % 3 == 0 ? RowPlacement.Padded : RowPlacement.OfLayout,
                    Value = seed % 5 == 0 ? RowPlacement.PaddedTokens : RowPlacement.OfLayout,
                    Seed = seed++,
                });
            }
        }

        accuracy.CheckAll();
    }

    private static (int Query, int Key)[] Sizes =>
        [(1, 1), (1, 14), (2, 27), (5, 7), (9, 3), (16, 13), (17, 9), (20, 26), (33, 8), (33, 65), (50, 63), (49, 128), (70, 15), (100, 2)];

    private static (int Query, int Key)[] SmallSizes => [(1, 14), (9, 3), (17, 27), (33, 65)];
}
