using System;

using FastAttn.Benchmarks.Peers;

namespace FastAttn.Benchmarks.Tests;

/// <summary>Writes no output.</summary>
internal sealed class IdlePeer : IPeer
{
    public string Name => "idle";

    public string Library => Name;

    public string Version => "1";

    public AttentionLayout Layout => AttentionLayout.BatchHeadLengthDim;

    public bool Supports(AttentionCase @case) => true;

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads) => () => { };
}
