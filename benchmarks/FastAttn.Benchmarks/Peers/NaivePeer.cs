using System;

using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers;

/// <summary>The formula in plain loops: a row of scores, its softmax with the maximum subtracted, the sum of values.</summary>
internal sealed class NaivePeer : IPeer
{
    public string Name => "naive C#";

    public string Library => Name;

    public string Version => Environment.Version.ToString();

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
            int keys = HeadLoop.VisibleKeys(@case, i);
            ReadOnlySpan<float> bias = mask is null ? default : mask.Row(sequence, i);
            float max = float.NegativeInfinity;
            for (int j = 0; j < keys; j++)
            {
                ReadOnlySpan<float> k = key.Slice(j * d, d);
                float dot = 0;
                for (int t = 0; t < q.Length; t++)
                    dot += q[t] * k[t];
                scores[j] = dot * scale + (bias.IsEmpty ? 0 : bias[j]);
                max = MathF.Max(max, scores[j]);
            }

            float sum = 0;
            for (int j = 0; j < keys; j++)
            {
                scores[j] = MathF.Exp(scores[j] - max);
                sum += scores[j];
            }

            Span<float> o = output.Slice(i * d, d);
            o.Clear();
            for (int j = 0; j < keys; j++)
            {
                ReadOnlySpan<float> v = value.Slice(j * d, d);
                float probability = scores[j] / sum;
                for (int c = 0; c < o.Length; c++)
                    o[c] += probability * v[c];
            }
        }
    }
}
