using System;

namespace FastAttn.Runtime;

/// <summary>The buffers of the state of a softmax, as their caller gives them.</summary>
internal readonly ref struct StateBuffers(Span<float> output, AttentionStrides? strides, Span<float> logSumExp, bool hasLogSumExp)
{
    public Span<float> Output { get; } = output;

    public AttentionStrides? Strides { get; } = strides;

    public Span<float> LogSumExp { get; } = logSumExp;

    public bool HasLogSumExp { get; } = hasLogSumExp;
}
