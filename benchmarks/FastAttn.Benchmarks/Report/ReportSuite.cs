using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Report;

/// <summary>The matrix of <c>report</c>: all sizes, and who takes part in which.</summary>
internal static class ReportSuite
{
    public const string Prefill = "prefill", Causal = "causal", Batch = "batch", Cross = "cross", Decode = "decode";

    /// <summary>Odd sizes: the head dimensions of many models, and lengths that are no multiple of a register tile.</summary>
    public const string Odd = "odd";

    /// <summary>Masks with an element for each pair of a query and a key, and padding.</summary>
    public const string Masks = "masks";

    /// <summary>Lengths so short that the time of the call itself counts.</summary>
    public const string Small = "small";

    /// <summary>A fixed number of queries over ever more keys. The time must grow linearly with them.</summary>
    public const string Keys = "keys";

    /// <summary>A step of decoding over a cache, whatever its keys and values are stored as.</summary>
    public const string Cache = "cache";

    private const int Heads = 8;

    private static readonly int[] HeadDims = [64, 128];
    private static readonly int[] Lengths = [512, 1024, 2048, 4096];

    /// <summary>The case of the plot over threads.</summary>
    public static AttentionCase Scaled { get; } = new(Prefill, new AttentionShape(batch: 1, Heads, 1024), 64);

    public static IReadOnlyList<AttentionCase> Cases { get; } =
    [
        .. SelfAttention(Prefill, AttentionMask.None),
        .. SelfAttention(Causal, AttentionMask.Causal),
        new(Batch, new AttentionShape(batch: 32, heads: 12, length: 128), 64),
        new(Cross, new AttentionShape(1, Heads, Heads, 128, 1500), 64),
        new(Decode, new AttentionShape(1, Heads, Heads, 1, 32768), 128),
        .. from features in new[] { AttentionFeatures.AdditiveMask, AttentionFeatures.BooleanMask, AttentionFeatures.BitMask }
           select new AttentionCase(Masks, new AttentionShape(batch: 1, Heads, 1024), 64, AttentionMask.None, features),
        new(Masks, new AttentionShape(batch: 1, Heads, 1024), 64, AttentionMask.None, AttentionFeatures.BooleanMask) { HasCausalTensor = true },
        .. from mask in new[] { AttentionMask.None, AttentionMask.Causal }
           select new AttentionCase(Masks, new AttentionShape(batch: 4, Heads, 512), 64, mask, AttentionFeatures.Lengths),
        // Half as many heads as elsewhere, since the long lengths alone take half of the run even so.
        .. from d in new[] { 40, 64, 72, 80, 96, 112, 128, 160, 256 }
           from length in new[] { 77, 197, 1000 }
           select new AttentionCase(Odd, new AttentionShape(batch: 1, heads: 4, length), d),
        .. from length in new[] { 4, 16, 32, 48, 64, 128 }
           select new AttentionCase(Small, new AttentionShape(batch: 1, Heads, length), 64),
        .. KeyLengths.Select(KeyCase),
        .. CacheCases,
    ];

    /// <summary>Numbers of keys for the plots of time and memory.</summary>
    public static IReadOnlyList<int> KeyLengths => [1024, 2048, 4096, 8192, 16384];

    /// <summary>
    /// One token over a long cache, with and without groups of heads, over a short one, and the verification of eight drafts; each of them with every element,
    /// floats first.
    /// </summary>
    public static IEnumerable<AttentionCase> CacheCases =>
        from sizes in new AttentionShape[] { new(1, Heads, Heads, 1, 32768), new(1, 4 * Heads, Heads, 1, 32768), new(1, Heads, Heads, 8, 8192), new(1, Heads, Heads, 1, 4096) }
        from element in Enum.GetValues<StoredElement>()
        select new AttentionCase(Cache, sizes, 128, sizes.QueryLength == 1 ? AttentionMask.None : AttentionMask.Causal) { Element = element };

    public static AttentionCase KeyCase(int keyLength) => new(Keys, new AttentionShape(1, Heads, Heads, 128, keyLength), 64);

    /// <summary>Everything that is measured, the peers of a case one after the other.</summary>
    /// <param name="peers">Who takes part.</param>
    /// <param name="threads">The largest number of threads; one thread is measured too.</param>
    /// <param name="filter">Only cases and peers with this text in their name.</param>
    /// <param name="quick">Leaves out what takes long.</param>
    public static IReadOnlyList<ReportEntry> Entries(IReadOnlyList<IPeer> peers, int threads, string filter, bool quick)
    {
        // Larger cases take half a second or more on one slow core.
        const double QuickFlops = 3e9;
        return
        [
            .. from @case in Cases
               where !quick || @case.Flops < QuickFlops
               from count in ThreadCounts(@case, threads)
               from peer in peers
               where peer.Supports(@case) && @case.Flops <= MaxFlops(peer, @case)
               let entry = new ReportEntry(peer, @case, count)
               where $"{@case.Name} {peer.Name}".Contains(filter, StringComparison.OrdinalIgnoreCase)
               select entry,
        ];
    }

    /// <summary>One and all; for one case the powers of two between them as well.</summary>
    public static IEnumerable<int> ThreadCounts(AttentionCase @case, int threads)
    {
        yield return 1;
        for (int count = 2; count < threads && @case == Scaled; count *= 2)
            yield return count;
        if (threads > 1)
            yield return threads;
    }

    // A call of a slow peer should take no more than a tenth of a second, or a run would last an hour. Plain code reaches some 1 to 2 GFLOP/s,
    // vectors of 128 bits or along the head dimension 4 to 8. Scalar code is measured at odd sizes only, other lesser instruction sets at prefill
    // and causal only. Plain code has nothing to say about caches.
    private static double MaxFlops(IPeer peer, AttentionCase @case) => peer switch
    {
        NaivePeer or TensorPrimitivesPeer when @case.Group == Cache => 0,
        NaivePeer => 0.13e9,
        TensorPrimitivesPeer => 0.6e9,
        FastAttnPeer { Requested: InstructionSet.Scalar } => @case.Group == Odd ? 0.13e9 : 0,
        FastAttnPeer { Requested: not null } => @case.Group is Prefill or Causal ? 1.2e9 : 0,
        _ => double.PositiveInfinity,
    };

    private static IEnumerable<AttentionCase> SelfAttention(string question, AttentionMask mask) =>
        from d in HeadDims
        from length in Lengths
        select new AttentionCase(question, new AttentionShape(batch: 1, Heads, length), d, mask);
}
