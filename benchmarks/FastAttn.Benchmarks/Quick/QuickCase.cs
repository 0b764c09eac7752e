using System;
using System.Collections.Immutable;
using System.Linq;

namespace FastAttn.Benchmarks.Quick;

/// <summary>One row of the table: what is computed, and on which instruction set.</summary>
internal sealed record QuickCase(string Name, AttentionShape Shape, int HeadDim, AttentionMask Mask, InstructionSet InstructionSet)
{
    public AttentionFeatures Features { get; init; }

    public AttentionLayout Layout { get; init; }

    /// <summary>For <see cref="AttentionFeatures.Window"/>: keys on either side of a query's own.</summary>
    public int WindowExtent { get; init; }

    /// <summary>For <see cref="AttentionFeatures.Ragged"/>: the length of each sequence.</summary>
    public ImmutableArray<int> Lengths { get; init; } = [];

    /// <summary>The rows of this run that its time is set against, together.</summary>
    public ImmutableArray<string> Baseline { get; init; } = [];

    public double Flops => 4.0 * HeadDim * Shape.QueryHeads * VisiblePairs;

    /// <summary>Bytes of K and V: what a call must at least read from memory where they exceed the caches.</summary>
    public double KeyValueBytes => 2.0 * sizeof(float) * AttentionBuffers.KeyElements(Shape, HeadDim);

    /// <summary>One query: every key and value is used once a head, so memory is the limit and not arithmetic.</summary>
    public bool IsDecode => Shape.QueryLength == 1;

    public string FullName => $"{Name} {InstructionSet}";

    public int QueryElements => IsRagged ? Lengths.Sum() * Shape.QueryHeads * HeadDim : AttentionBuffers.QueryElements(Shape, HeadDim);

    public int KeyElements => IsRagged ? Lengths.Sum() * Shape.KeyValueHeads * HeadDim : AttentionBuffers.KeyElements(Shape, HeadDim);

    private bool IsRagged => Lengths.Length > 0;

    /// <summary>Pairs of a query and a key that it sees, in one head of all sequences. Masks with an element a pair are counted as if they hid nothing: their time is that.</summary>
    private long VisiblePairs
    {
        get
        {
            if (IsRagged)
                return Lengths.Sum(static length => (long)length * length);
            long pairs = (Features & AttentionFeatures.Window) != 0
                ? Enumerable.Range(0, Shape.QueryLength).Sum(i => (long)Math.Min(i + WindowExtent, Shape.KeyLength - 1) - Math.Max(i - WindowExtent, 0) + 1)
                : FlopCount.VisiblePairs(Shape.QueryLength, (Features & AttentionFeatures.KeyLengths) != 0 ? FeatureInputs.ExistingKeys(Shape) : Shape.KeyLength, Mask);
            return Shape.Batch * pairs;
        }
    }

    public Action Bind(AttentionBuffers buffers, int threads)
    {
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(HeadDim, HeadDim, Mask, Features).For(InstructionSet);
        var options = new AttentionOptions
        {
            MaxDegreeOfParallelism = threads,
            Layout = Layout,
            Softcap = (Features & AttentionFeatures.Softcap) != 0 ? 30 : null,
            Window = (Features & AttentionFeatures.Window) != 0 ? new AttentionWindow(WindowExtent, WindowExtent) : null,
        };
        return buffers.Bind(kernel, Shape, QueryElements, KeyElements, options, new FeatureInputs(this));
    }
}
