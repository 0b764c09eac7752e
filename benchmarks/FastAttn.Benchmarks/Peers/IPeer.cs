using System;

namespace FastAttn.Benchmarks.Peers;

/// <summary>Something that computes attention, and that FastAttn is measured against.</summary>
internal interface IPeer
{
    /// <summary>Unique among the peers, as in tables.</summary>
    string Name { get; }

    /// <summary>What a user would install: of several peers of one library the fastest counts.</summary>
    string Library { get; }

    string Version { get; }

    /// <summary>How it wants its buffers: each peer is timed with the layout that it need not transpose.</summary>
    AttentionLayout Layout { get; }

    /// <summary>Likewise for keys and values.</summary>
    AttentionLayout KeyValueLayout => Layout;

    /// <summary>How long its threads go on spinning after a call; whoever is timed next must wait for them.</summary>
    TimeSpan SpinTime => TimeSpan.Zero;

    /// <summary>How far its outputs may be from FastAttn's over the numbers that are stored, both for inputs N(0,1).</summary>
    float ToleranceOf(AttentionCase @case) => CheckedBinding.Tolerance;

    bool Supports(AttentionCase @case);

    /// <summary>One call with everything bound: it copies no input and no output.</summary>
    Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads);
}
