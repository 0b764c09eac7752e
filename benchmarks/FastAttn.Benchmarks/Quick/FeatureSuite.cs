using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Rows that say what features cost, each beside the row without it.</summary>
internal static class FeatureSuite
{
    private const int Heads = 8, HeadDim = 64, Length = 2048, LongLength = 4096;
    private static readonly ImmutableArray<int> MixedLengths = [128, 1024, 384, 512];

    public static IEnumerable<QuickCase> Cases(InstructionSet isa)
    {
        // This case is among the prefill cases too. It is repeated here so that it runs next to the rows whose baseline it is.
        QuickCase full = Case($"{Length} d{HeadDim} no feature", new(1, Heads, Length), isa);
        yield return full;
        (string Name, AttentionFeatures Features)[] perPair =
        [
            ("additive mask", AttentionFeatures.AdditiveMask),
            ("boolean mask", AttentionFeatures.BooleanMask),
            ("bit mask", AttentionFeatures.BitMask),
            ("alibi", AttentionFeatures.Alibi),
            ("softcap", AttentionFeatures.Softcap),
            ("sinks", AttentionFeatures.Sinks),
            ("half the keys", AttentionFeatures.Lengths),
        ];
        foreach ((string name, AttentionFeatures features) in perPair)
            yield return full with { Name = $"{Length} d{HeadDim} {name}", Features = features, Baseline = [full.FullName] };
        yield return full with { Name = $"{Length} d{HeadDim} 8 over 2 heads", Shape = new(1, Heads, Heads / 4, Length, Length), Baseline = [full.FullName] };

        QuickCase longer = Case($"{LongLength} d{HeadDim} no feature", new(1, Heads, LongLength), isa);
        yield return longer;
        yield return longer with { Name = $"{LongLength} d{HeadDim} window 256", Features = AttentionFeatures.Window, WindowExtent = 128, Baseline = [longer.FullName] };

        QuickCase[] parts = [.. MixedLengths.Select(length => Case($"{length} d{HeadDim} alone", new(1, Heads, length), isa))];
        foreach (QuickCase part in parts)
            yield return part;
        yield return Case($"ragged {string.Join('+', MixedLengths)} d{HeadDim}", new(MixedLengths.Length, Heads, MixedLengths.Max()), isa) with
        {
            Features = AttentionFeatures.Ragged,
            Lengths = MixedLengths,
            Baseline = [.. parts.Select(static part => part.FullName)],
        };

        foreach (int headDim in (int[])[64, 128])
        {
            foreach (int heads in (int[])[8, 12, 16])
            {
                QuickCase contiguous = Case($"1024 {heads}x{headDim} [B,H,L,D]", new(1, heads, 1024), isa) with { HeadDim = headDim };
                yield return contiguous;
                yield return contiguous with { Name = $"1024 {heads}x{headDim} [B,L,H,D]", Shape = contiguous.Shape with { Layout = AttentionLayout.BatchLengthHeadDim }, Baseline = [contiguous.FullName] };
            }
        }
    }

    private static QuickCase Case(string name, AttentionShape shape, InstructionSet isa) => new(name, shape, HeadDim, AttentionMask.None, isa);
}
