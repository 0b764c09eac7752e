using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The last queries of a sequence, which fill no whole tile and may run on narrower vectors.</summary>
public static class LeftoverTests
{
    private const int Keys = 131, Tile = 48;

    public static TheoryData<int, AttentionMask> Leftovers
    {
        get
        {
            var leftovers = new TheoryData<int, AttentionMask>();
            foreach (int count in (int[])[1, 2, 3, 4, 5, 8, 9, 16, 17])
            {
                leftovers.Add(count, AttentionMask.None);
                leftovers.Add(count, AttentionMask.Causal);
            }

            return leftovers;
        }
    }

    [Theory]
    [MemberData(nameof(Leftovers))]
    public static void They_have_the_bits_that_they_have_in_a_full_tile(int count, AttentionMask mask)
    {
        AttentionKernel any = ScaledDotProductAttention.GetKernel(64, mask);
        Case whole = new(any, new(1, 1, 1, Tile + count, Keys));
        Inputs inputs = Inputs.Normal(whole);

        // The same queries without the first: the last ones fill the same tile as others now. Their positions are counted from the end.
        Case last = new(any, new(1, 1, 1, Tile, Keys));
        Inputs lastInputs = inputs with { Query = inputs.Query[(count * 64)..] };
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = any.For(instructionSet);
            Outputs<float> expected = last.Run(kernel, lastInputs), actual = whole.Run(kernel, inputs);
            Compare.SameBits($"{kernel.Name}, {count} left over, output", expected.Output, actual.Output.AsSpan(count * 64));
            Compare.SameBits($"{kernel.Name}, {count} left over, logSumExp", expected.LogSumExp, actual.LogSumExp.AsSpan(count));
        }
    }
}
