using System;

namespace FastAttn.Benchmarks.Quick;

/// <summary>One row of the table: what is computed, and on which instruction set.</summary>
internal sealed record QuickCase(string Name, AttentionShape Shape, int HeadDim, AttentionMask Mask, InstructionSet InstructionSet)
{
    public double Flops => FlopCount.Forward(Shape, HeadDim, HeadDim, Mask);

    /// <summary>Bytes of K and V: what a call must at least read from memory where they exceed the caches.</summary>
    public double KeyValueBytes => 2.0 * sizeof(float) * AttentionBuffers.KeyElements(Shape, HeadDim);

    /// <summary>One query: every key and value is used once a head, so memory is the limit and not arithmetic.</summary>
    public bool IsDecode => Shape.QueryLength == 1;

    public string FullName => $"{Name} {InstructionSet}";

    public Action Bind(AttentionBuffers buffers, int threads) =>
        buffers.Bind(ScaledDotProductAttention.GetKernel(HeadDim, HeadDim, Mask).For(InstructionSet), Shape, threads);
}
