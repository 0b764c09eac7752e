using System;
using System.Numerics.Tensors;

using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers;

/// <summary>
/// A composition of <see cref="TensorPrimitives"/>. Their own SoftMax does not subtract the maximum, which large logits need, so that the
/// softmax is composed too.
/// </summary>
internal sealed class TensorPrimitivesPeer : IPeer
{
    public string Name => "TensorPrimitives";

    public string Library => Name;

    public string Version => PackageVersion.Of(typeof(TensorPrimitives));

    public AttentionLayout Layout => AttentionLayout.BatchHeadLengthDim;

    public bool Supports(AttentionCase @case) => @case.Element == StoredElement.Float32 && @case.Mask is (AttentionMask.None or AttentionMask.Causal);

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        int d = @case.HeadDim, queryHead = @case.Shape.QueryLength * d, keyHead = @case.Shape.KeyLength * d;
        DenseMask? mask = DenseMask.Of(@case, withCausal: false);
        return HeadLoop.Over(@case, threads, (h, keyValueHead, scores) => Head(
            @case,
            mask,
            h / @case.Shape.QueryHeads,
            buffers.Query.Slice(h * queryHead, queryHead).Span,
            buffers.Key.Slice(keyValueHead * keyHead, keyHead).Span,
            buffers.Value.Slice(keyValueHead * keyHead, keyHead).Span,
            buffers.Output.Slice(h * queryHead, queryHead).Span,
            scores));
    }

    private static void Head(
        AttentionCase @case,
        DenseMask? mask,
        int sequence,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<float> output,
        float[] scores)
    {
        int d = @case.HeadDim;
        float scale = 1 / MathF.Sqrt(d);
        for (int i = 0; i < @case.Shape.QueryLength; i++)
        {
            ReadOnlySpan<float> q = query.Slice(i * d, d);
            Span<float> row = scores.AsSpan(0, HeadLoop.VisibleKeys(@case, i));
            for (int j = 0; j < row.Length; j++)
                row[j] = TensorPrimitives.Dot(q, key.Slice(j * d, d));
            TensorPrimitives.Multiply(row, scale, row);
            if (mask is not null)
                TensorPrimitives.Add(row, mask.Row(sequence, i)[..row.Length], row);
            TensorPrimitives.Subtract(row, TensorPrimitives.Max<float>(row), row);
            TensorPrimitives.Exp<float>(row, row);
            TensorPrimitives.Divide(row, TensorPrimitives.Sum<float>(row), row);

            Span<float> o = output.Slice(i * d, d);
            o.Clear();
            for (int j = 0; j < row.Length; j++)
                TensorPrimitives.MultiplyAdd(value.Slice(j * d, d), row[j], o, o);
        }
    }
}
