using System;
using System.Runtime.InteropServices;

using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>
/// ggml's <c>ggml_flash_attn_ext</c> on the CPU, llama.cpp's attention, over the shared buffers. Its groups of 8 and 4 bits, <c>q8_0</c> and <c>q4_1</c>, are FastAttn's to the byte.
/// </summary>
/// <remarks>
/// Sums are of floats, but for values of <c>f16</c> that few queries see, which it adds up in halves. Queries become what keys are: halves, upper halves, or groups of 8 bits. So it is
/// less exact than FastAttn over all that is no float.
/// </remarks>
internal sealed class GgmlPeer : IPeer
{
    public const string LibraryName = "ggml";

    public string Name => LibraryName;

    public string Library => LibraryName;

    public string Version => $"{GgmlLibrary.Version} ({GgmlLibrary.Build} of {GgmlLibrary.Package} {GgmlLibrary.PackageVersion})";

    public AttentionLayout Layout => AttentionLayout.BatchLengthHeadDim;

    public AttentionLayout KeyValueLayout => AttentionLayout.BatchHeadLengthDim;

    // The workers of GCC's OpenMP spin for some milliseconds after a parallel region.
    public TimeSpan SpinTime => TimeSpan.FromMilliseconds(20);

    // Its masks are halves, which would round a bias.
    public bool Supports(AttentionCase @case) =>
        TypeOf(@case.Element) is { } type
        && (type is not (GgmlType.Q80 or GgmlType.Q41) || @case.HeadDim % StoredElements.GroupLength == 0)
        && @case.Mask is AttentionMask.None or AttentionMask.Causal
        && @case.Features is AttentionFeatures.None or AttentionFeatures.BooleanMask or AttentionFeatures.BitMask or AttentionFeatures.Lengths;

    // Sums of halves are off by some 0.002 after 32768 keys, however small outputs are. Elsewhere the queries are rounded, which moves outputs by a share of their size.
    public float ToleranceOf(AttentionCase @case) => TypeOf(@case.Element) switch
    {
        GgmlType.F32 => CheckedBinding.Tolerance,
        GgmlType.F16 => 4e-3f,
        GgmlType.BF16 => 0.02f * OutputSize(@case.Shape.KeyLength),
        _ => 0.06f * OutputSize(@case.Shape.KeyLength),
    };

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        // ggml ends the process where a size is not what it expects.
        if (!Supports(@case))
            throw new NotSupportedException($"{Name} is not given {@case.Name}.");
        AttentionShape shape = @case.Shape;
        int d = @case.HeadDim, count = AttentionBuffers.QueryElements(shape, d);
        GgmlType type = TypeOf(@case.Element)!.Value;
        (StoredRows key, StoredRows value) = buffers.Stored(@case);
        AlignedBuffer<Half>? halves = GgmlMask.Of(@case);

        GgmlBackend backend = GgmlBackend.Of(threads);
        var graph = new GgmlGraph();
        nint query = graph.Tensor(GgmlType.F32, MemoryMarshal.AsBytes(buffers.Query.Span[..count]), d, shape.QueryHeads, shape.QueryLength, shape.Batch);
        nint keys = graph.Tensor(type, key.Elements, d, shape.KeyLength, shape.KeyValueHeads, shape.Batch);
        nint values = graph.Tensor(type, value.Elements, d, shape.KeyLength, shape.KeyValueHeads, shape.Batch);
        nint mask = halves is null ? 0 : graph.Tensor(GgmlType.F16, halves.Bytes, shape.KeyLength, shape.QueryLength, 1, halves.Span.Length / (shape.KeyLength * shape.QueryLength));
        graph.AddAttention(graph.WithMiddleAxesExchanged(query), keys, values, mask, 1 / MathF.Sqrt(d), MemoryMarshal.AsBytes(buffers.Output.Span[..count]));
        return () =>
        {
            backend.Compute(graph);
            // The graph knows their addresses only.
            GC.KeepAlive((buffers, key, value, halves));
        };
    }

    /// <summary>The standard deviation of outputs: weights of so many keys are e to a normal number each over their sum, and the sum of their squares is e over the keys.</summary>
    private static float OutputSize(int keys) => MathF.Sqrt(MathF.E / keys);

    private static GgmlType? TypeOf(StoredElement element) => element switch
    {
        StoredElement.Float32 => GgmlType.F32,
        StoredElement.Float16 => GgmlType.F16,
        StoredElement.BFloat16 => GgmlType.BF16,
        StoredElement.Int8Group32 => GgmlType.Q80,
        StoredElement.Int4Group32 => GgmlType.Q41,
        _ => null,
    };
}
