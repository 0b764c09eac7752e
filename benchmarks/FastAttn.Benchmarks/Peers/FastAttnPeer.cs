using System;

using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Peers;

/// <summary>This library, on its default instruction set or on a given one.</summary>
internal sealed class FastAttnPeer(InstructionSet? instructionSet = null) : IPeer
{
    public const string LibraryName = "FastAttn";

    /// <summary>The instruction set that was asked for; null for the default.</summary>
    public InstructionSet? Requested => instructionSet;

    public InstructionSet InstructionSet => instructionSet ?? InstructionSets.Default;

    public string Name => instructionSet is { } isa ? $"{LibraryName} {isa}" : LibraryName;

    public string Library => Name;

    public string Version => PackageVersion.Of(typeof(AttentionKernel));

    public AttentionLayout Layout => AttentionLayout.BatchHeadLengthDim;

    public bool Supports(AttentionCase @case) => InstructionSets.IsSupported(InstructionSet);

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads) =>
        Bind(@case, buffers, threads, Layout, InstructionSet);

    public static Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads, AttentionLayout layout, InstructionSet instructionSet) =>
        buffers.Bind(
            ScaledDotProductAttention.GetKernel(@case.HeadDim, @case.Mask, @case.Features).For(instructionSet),
            @case.Shape with { Layout = layout },
            AttentionBuffers.QueryElements(@case.Shape, @case.HeadDim),
            AttentionBuffers.KeyElements(@case.Shape, @case.HeadDim),
            new FeatureInputs(@case),
            threads);
}
