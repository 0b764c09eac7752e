using System;
using System.Collections.Generic;
using System.Collections.Immutable;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Declared kernels against the formula in double, on every instruction set, around every edge of tiles and blocks.</summary>
public static class AccuracyTests
{
    // Either side of 1, 2 and 3 vectors of 4, 8 and 16 lanes, of score tiles of 4 and 8 keys, and of one and two key blocks of 96.
    private static readonly ImmutableArray<int> Lengths =
    [
        0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 96, 97, 100, 127, 128, 129, 191, 192, 193, 200,
    ];

    private static readonly ImmutableArray<(int Query, int KeyValue)> Heads = [(1, 1), (2, 2), (2, 1), (3, 3), (4, 2), (6, 2), (5, 1), (8, 1)];

    private static readonly ImmutableArray<float?> Scales = [null, null, 1f, 0.37f, -0.6f];

    private static readonly ImmutableArray<RowPlacement> InputPlacements =
    [
        RowPlacement.OfLayout, RowPlacement.OfLayout, RowPlacement.Padded, RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost, RowPlacement.Repeated,
    ];

    private static readonly ImmutableArray<RowPlacement> OutputPlacements =
    [
        RowPlacement.OfLayout, RowPlacement.OfLayout, RowPlacement.Padded, RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost,
    ];

    public static TheoryData<string> Kernels => TestKernels.ManyNames;

    /// <summary>The rule of <see cref="Accuracy"/>, case by case and over all cases.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Kernel_is_as_accurate_as_three_passes_at_every_edge(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        var accuracy = new Accuracy(kernel);
        foreach (Case call in CasesOf(kernel))
            accuracy.Check(call);
        accuracy.CheckAll();
    }

    /// <summary>Each length once as the query's and once as the key's, in pairs that differ from kernel to kernel.</summary>
    private static IEnumerable<Case> CasesOf(AttentionKernel kernel)
    {
        int kernelIndex = TestKernels.All.IndexOf(kernel);
        int step = Budget.Of(1, 4);
        for (int i = kernelIndex % step; i < Lengths.Length; i += step)
        {
            // 7 and the number of lengths have no common divisor, so that every length is met.
            int queryLength = Lengths[i], keyLength = Lengths[(7 * i + 5 * kernelIndex + 3) % Lengths.Length];
            var random = new Random(1000 * kernelIndex + i);
            (int queryHeads, int keyValueHeads) = Pick(random, Heads);
            var call = new Case(kernel, new(1 + random.Next(2), queryHeads, keyValueHeads, queryLength, keyLength))
            {
                Scale = Pick(random, Scales),
                PositionOffset = Pick<int?>(random, [null, null, 0, 5, -1, -queryLength / 2, keyLength + 3, int.MinValue, int.MaxValue]),
                Layout = (AttentionLayout)random.Next(2),
                Query = Pick(random, InputPlacements),
                Key = Pick(random, InputPlacements),
                Value = Pick(random, InputPlacements),
                Output = Pick(random, OutputPlacements),
                Seed = i,
            };

            // Long and wide ones have one head: the formula in double is what costs.
            yield return call.Work <= Budget.Of(4_000_000, 400_000) ? call : call with { Shape = call.Shape with { Batch = 1, QueryHeads = 1, KeyValueHeads = 1 } };
        }
    }

    private static T Pick<T>(Random random, ImmutableArray<T> items) => items[random.Next(items.Length)];
}
