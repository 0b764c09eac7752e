using System;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;

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

    public bool Supports(AttentionCase @case) => InstructionSets.IsSupported(InstructionSet) && StoredElements.IsTaken(@case.Element);

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads) =>
        Bind(@case, buffers, threads, (Layout, Layout), InstructionSet, buffers.Stored(@case));

    /// <summary>One call with everything bound, whose calls allocate nothing.</summary>
    /// <param name="case">The attention.</param>
    /// <param name="buffers">Queries and output.</param>
    /// <param name="threads">Threads that may work on it.</param>
    /// <param name="layouts">The layout of queries and output, and that of keys and values.</param>
    /// <param name="instructionSet">What it runs on.</param>
    /// <param name="stored">Keys and values.</param>
    public static Action Bind(
        AttentionCase @case,
        AttentionBuffers buffers,
        int threads,
        (AttentionLayout Query, AttentionLayout KeyValue) layouts,
        InstructionSet instructionSet,
        (StoredRows Key, StoredRows Value) stored)
    {
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(@case.HeadDim, @case.Mask, @case.Features).For(instructionSet);
        AttentionShape shape = @case.Shape with { Layout = layouts.Query };
        AttentionStrides? strides = layouts.Query == layouts.KeyValue ? null : AttentionStrides.Of(layouts.KeyValue, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim);
        int queryElements = AttentionBuffers.QueryElements(shape, @case.HeadDim);
        var inputs = new FeatureInputs(@case);
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        return () => kernel.Forward(
            buffers.Query.Span[..queryElements],
            stored.Key.Input(strides),
            stored.Value.Input(strides),
            buffers.Output.Span[..queryElements],
            shape,
            inputs.Options,
            execution);
    }
}
