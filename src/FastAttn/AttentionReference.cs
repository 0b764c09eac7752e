using System;
using System.Numerics;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Attention as the formula says it, one query at a time, with the whole row of scores in memory: what the kernels are
/// tested against, and the shortest description of what they compute.
/// </summary>
public static class AttentionReference
{
    /// <summary>
    /// Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> in the arithmetic of <typeparamref name="T"/>, with the three passes
    /// maximum, exponentials, quotient ("Attention Is All You Need", arXiv 1706.03762, §3.2.1).
    /// </summary>
    /// <typeparam name="T"><see cref="double"/> for an oracle, <see cref="float"/> for what naive code gives.</typeparam>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="logSumExp">LSE, written: [B, H, L_q]; −∞ for a query that sees no key.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, at least 1.</param>
    /// <param name="valueDim">Value dimension d_v, at least 1.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, layout and strides; the number of threads is ignored.</param>
    /// <remarks>A query that sees no key, or none with a score above −∞, gets zeros.</remarks>
    /// <exception cref="ArgumentException">As <see cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, Span{float}, AttentionShape, AttentionOptions)"/>.</exception>
    public static void Forward<T>(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<T> output,
        Span<T> logSumExp,
        AttentionShape shape,
        int headDim,
        int valueDim,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ScaledDotProductAttention.CheckDimensions(headDim, valueDim, mask);
        AttentionCall call = CallValidation.Check<T>(headDim, valueDim, query, key, value, output, logSumExp, true, shape, options);
        T scale = options.Scale is { } given ? T.CreateChecked(given) : T.One / T.Sqrt(T.CreateChecked(headDim));
        var scores = new T[shape.KeyLength];

        for (int b = 0; b < shape.Batch; b++)
        {
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                int keyValueHead = h / call.GroupSize;
                for (int i = 0; i < shape.QueryLength; i++)
                {
                    ReadOnlySpan<float> q = Row(query, call.QueryStrides, b, h, i, headDim);
                    int keys = mask == AttentionMask.None ? shape.KeyLength : CausalMask.KeyLimit(i, call.CausalOffset, shape.KeyLength);

                    T max = T.NegativeInfinity;
                    for (int j = 0; j < keys; j++)
                    {
                        ReadOnlySpan<float> k = Row(key, call.KeyStrides, b, keyValueHead, j, headDim);
                        T dot = T.Zero;
                        for (int t = 0; t < headDim; t++)
                            dot += T.CreateTruncating(q[t]) * T.CreateTruncating(k[t]);
                        scores[j] = dot * scale;
                        max = T.Max(max, scores[j]);
                    }

                    Span<T> o = output.Slice((int)Start(call.OutputStrides, b, h, i), valueDim);
                    o.Clear();
                    int row = (b * shape.QueryHeads + h) * shape.QueryLength + i;
                    if (T.IsNegativeInfinity(max))
                    {
                        logSumExp[row] = T.NegativeInfinity;
                        continue;
                    }

                    T sum = T.Zero;
                    for (int j = 0; j < keys; j++)
                    {
                        scores[j] = T.Exp(scores[j] - max);
                        sum += scores[j];
                    }

                    for (int j = 0; j < keys; j++)
                    {
                        ReadOnlySpan<float> v = Row(value, call.ValueStrides, b, keyValueHead, j, valueDim);
                        for (int c = 0; c < valueDim; c++)
                            o[c] += scores[j] * T.CreateTruncating(v[c]);
                    }

                    for (int c = 0; c < valueDim; c++)
                        o[c] /= sum;
                    logSumExp[row] = max + T.Log(sum);
                }
            }
        }
    }

    private static ReadOnlySpan<float> Row(ReadOnlySpan<float> buffer, in AttentionStrides strides, int batch, int head, int token, int dim) =>
        buffer.Slice((int)Start(strides, batch, head, token), dim);

    private static long Start(in AttentionStrides strides, int batch, int head, int token) =>
        batch * strides.Batch + head * strides.Head + token * strides.Length;
}
