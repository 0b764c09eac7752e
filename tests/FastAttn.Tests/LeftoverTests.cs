using System;
using System.Linq;

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
            foreach (int count in (int[])[1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 40])
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

    /// <summary>A lane is one query whatever the vector's width, with masks, windows, pages, and numbers that are hidden and not finite. No sequence here has so few queries that these are no lanes.</summary>
    [Fact]
    public static void Vectors_of_any_width_give_the_same_bits()
    {
        if (!InstructionSets.Supported.Contains(InstructionSet.Avx512))
            Assert.Skip("The CPU has no AVX-512, whose tiles alone are narrowed.");
        for (int seed = 0; seed < Budget.Of(150, 12); seed++)
        {
            var random = new Random(seed);
            int queries = 16 * random.Next(1, 5) + random.Next(1, 9), keys = random.Next(queries, 300), dim = random.Next(8, 80);
            var shape = new AttentionShape(random.Next(1, 3), 4, 2, queries, keys);
            Case call = FeatureCases.Draw(random, new Case(dim, dim, random.Next(2) == 0 ? AttentionMask.None : AttentionMask.Causal, shape) { Seed = seed }, FeatureCases.DrawFeatures(random, 0.3) & ~(AttentionFeatures.Ragged | AttentionFeatures.Lengths));
            Inputs inputs = Inputs.Normal(call);
            if (random.Next(3) == 0)
                inputs.Value[random.Next(inputs.Value.Length)] = float.NaN;
            Compare.SameBits($"{call}", call.Run(call.Kernel.For(InstructionSet.Avx2), inputs), call.Run(call.Kernel.For(InstructionSet.Avx512), inputs));
        }
    }
}
