using System;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>An attention over the shared buffers.</summary>
internal sealed record QuickCase(string Name, AttentionShape Shape, int HeadDim, AttentionMask Mask, InstructionSet InstructionSet) : QuickRow(Name, InstructionSet)
{
    public AttentionFeatures Features { get; init; }

    /// <summary>For <see cref="AttentionFeatures.Window"/>: keys on either side of a query's own.</summary>
    public int WindowExtent { get; init; }

    /// <summary>For <see cref="AttentionFeatures.Ragged"/>: the length of each sequence.</summary>
    public ImmutableArray<int> Lengths { get; init; } = [];

    public override double Flops => 4.0 * HeadDim * Shape.QueryHeads * VisiblePairs;

    /// <summary>With one query every key and value is used once for each head, so that memory is the limit and not arithmetic.</summary>
    public override Reading? Reading => Shape.QueryLength > 1 ? null : new("K and V", 2.0 * sizeof(float) * AttentionBuffers.KeyElements(Shape, HeadDim));

    public override int QueryElements => IsRagged ? Lengths.Sum() * Shape.QueryHeads * HeadDim : AttentionBuffers.QueryElements(Shape, HeadDim);

    public override int KeyElements => IsRagged ? Lengths.Sum() * Shape.KeyValueHeads * HeadDim : AttentionBuffers.KeyElements(Shape, HeadDim);

    public override (AttentionShape Shape, int HeadDim, AttentionMask Mask)? Attention => (Shape, HeadDim, Mask);

    private bool IsRagged => Lengths.Length > 0;

    /// <summary>
    /// Pairs of a query and a key that it sees, in one head of all sequences. Masks with an element for each pair count as if they hid nothing, since
    /// hidden pairs take as long.
    /// </summary>
    private long VisiblePairs
    {
        get
        {
            if (IsRagged)
                return Lengths.Sum(static length => (long)length * length);
            long pairs = (Features & AttentionFeatures.Window) != 0
                ? Enumerable.Range(0, Shape.QueryLength).Sum(i => (long)Math.Min(i + WindowExtent, Shape.KeyLength - 1) - Math.Max(i - WindowExtent, 0) + 1)
                : FlopCount.VisiblePairs(Shape.QueryLength, (Features & AttentionFeatures.Lengths) != 0 ? FeatureInputs.ExistingKeys(Shape) : Shape.KeyLength, Mask);
            return Shape.Batch * pairs;
        }
    }

    public override Action Bind(AttentionBuffers buffers, int threads)
    {
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(HeadDim, Mask, Features).For(InstructionSet);
        return buffers.Bind(kernel, Shape, QueryElements, KeyElements, new FeatureInputs(this), threads);
    }
}
