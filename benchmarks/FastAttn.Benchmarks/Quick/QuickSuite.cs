using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Mixed;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Every row of the table; all sizes are here.</summary>
internal static class QuickSuite
{
    private const int Heads = 8;
    private static readonly int[] HeadDims = [64, 128];
    private static readonly int[] Lengths = [512, 2048, 4096];
    private static readonly AttentionMask[] Masks = [AttentionMask.None, AttentionMask.Causal];

    /// <summary>The length at which instruction sets are compared.</summary>
    private const int ComparedLength = 2048;

    /// <param name="instructionSets">Every case runs on the first. Only the cases that compare instruction sets run on the others.</param>
    public static IReadOnlyList<QuickRow> Cases(IReadOnlyList<InstructionSet> instructionSets)
    {
        InstructionSet main = instructionSets[0];
        return
        [
            .. Prefill(main, Lengths),
            new QuickCase("batch 32x12x128 d64", new AttentionShape(batch: 32, heads: 12, length: 128), 64, AttentionMask.None, main),
            new QuickCase("cross 128x1500 d64", new AttentionShape(1, Heads, Heads, 128, 1500), 64, AttentionMask.None, main),
            new QuickCase("decode 1x32768 d128", new AttentionShape(1, Heads, Heads, 1, 32768), 128, AttentionMask.None, main),
            .. CacheSuite.Rows(main),
            .. MixedSuite.Rows(main),
            .. FeatureSuite.Cases(main),
            .. LayerSuite.Rows(main),
            .. EmbeddingSuite.Rows(main),
            .. instructionSets.Skip(1).SelectMany(isa => Prefill(isa, [ComparedLength])),
        ];
    }

    private static IEnumerable<QuickCase> Prefill(InstructionSet instructionSet, int[] lengths)
    {
        // Scalar code is some 15 times slower. Eight heads of it would take as long as all other cases, at the same rate as one head.
        int heads = instructionSet == InstructionSet.Scalar ? 1 : Heads;
        return
            from headDim in HeadDims
            from length in lengths
            from mask in Masks
            select new QuickCase($"prefill {length} d{headDim} {mask}", new AttentionShape(batch: 1, heads, length), headDim, mask, instructionSet);
    }
}
