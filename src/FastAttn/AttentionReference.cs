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
    /// <remarks>A query that sees no key, or none with a score above −∞, gets zeros. Another key with a score of −∞ has weight 0.</remarks>
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
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        Forward(query, key, value, output, logSumExp, shape, headDim, valueDim, default, mask, options);

    /// <summary>Computes the output alone, with masks, lengths, biases and sinks in any combination.</summary>
    /// <inheritdoc cref="Forward{T}(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{T}, Span{T}, AttentionShape, int, int, in AttentionModifiers, AttentionMask, AttentionOptions)"/>
    public static void Forward<T>(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<T> output,
        AttentionShape shape,
        int headDim,
        int valueDim,
        in AttentionModifiers modifiers = default,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        Forward(query, key, value, output, default, wantsLogSumExp: false, shape, headDim, valueDim, modifiers, mask, options);

    /// <summary>As the other overload, with masks, lengths, biases and sinks in any combination.</summary>
    /// <typeparam name="T"><see cref="double"/> for an oracle, <see cref="float"/> for what naive code gives.</typeparam>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="logSumExp">LSE, written: [B, H, L_q] or, for ragged batches, [H, T]; −∞ for a query that sees no key and no sink.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, at least 1.</param>
    /// <param name="valueDim">Value dimension d_v, at least 1.</param>
    /// <param name="modifiers">Masks, lengths, biases and sinks.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, softcap, window, causal offset, layout and strides; the number of threads is ignored.</param>
    /// <remarks>A query that sees no key, or none with a score above −∞, gets zeros.</remarks>
    /// <exception cref="ArgumentException">As <see cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, Span{float}, AttentionShape, in AttentionModifiers, AttentionOptions)"/>.</exception>
    public static void Forward<T>(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<T> output,
        Span<T> logSumExp,
        AttentionShape shape,
        int headDim,
        int valueDim,
        in AttentionModifiers modifiers,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        Forward(query, key, value, output, logSumExp, wantsLogSumExp: true, shape, headDim, valueDim, modifiers, mask, options);

    private static void Forward<T>(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<T> output,
        Span<T> logSumExp,
        bool wantsLogSumExp,
        in AttentionShape shape,
        int headDim,
        int valueDim,
        in AttentionModifiers modifiers,
        AttentionMask mask,
        in AttentionOptions options)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ScaledDotProductAttention.CheckDimensions(headDim, valueDim, mask);
        AttentionCall call = CallValidation.Check<T>(
            headDim, valueDim, mask, AttentionFeatures.All, query, key, value, output, logSumExp, wantsLogSumExp, shape, modifiers, options);
        var scores = new T[shape.KeyLength];
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = SequenceAt(b, shape, modifiers, options);
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                int keyValueHead = h / call.GroupSize;
                for (int i = sequence.QueryLength; i < call.Shape.QueryLength && !modifiers.QueryLengths.IsEmpty; i++)
                {
                    output.Slice((int)Start(call.Operands.OutputStrides, b, h, i), valueDim).Clear();
                    if (wantsLogSumExp)
                        logSumExp[(b * shape.QueryHeads + h) * shape.QueryLength + i] = T.NegativeInfinity;
                }

                for (int i = 0; i < sequence.QueryLength; i++)
                {
                    options.CancellationToken.ThrowIfCancellationRequested();
                    Span<T> s = scores.AsSpan(0, sequence.KeyLength);
                    ReadOnlySpan<float> q = Row(query, call.Operands.QueryStrides, sequence.Batch, h, sequence.QueryStart + i, headDim);
                    for (int j = 0; j < s.Length; j++)
                    {
                        s[j] = Score<T>(q, Row(key, call.Operands.KeyStrides, sequence.Batch, keyValueHead, sequence.KeyStart + j, headDim), options);
                        s[j] = Masked(Softcapped(s[j], options), b, h, i, j, sequence, call, mask, modifiers, options);
                    }

                    T max = T.NegativeInfinity;
                    foreach (T score in s)
                        max = T.Max(max, score);
                    T sink = modifiers.Sinks.IsEmpty ? T.NegativeInfinity : T.CreateChecked(modifiers.Sinks[h]);
                    max = T.Max(max, sink);

                    Span<T> o = output.Slice((int)Start(call.Operands.OutputStrides, sequence.Batch, h, sequence.QueryStart + i), valueDim);
                    o.Clear();
                    int row = (sequence.Batch * shape.QueryHeads + h) * call.Operands.QueryTokens + sequence.QueryStart + i;
                    if (T.IsNegativeInfinity(max))
                    {
                        if (wantsLogSumExp)
                            logSumExp[row] = T.NegativeInfinity;
                        continue;
                    }

                    T sum = T.Exp(sink - max);
                    for (int j = 0; j < s.Length; j++)
                    {
                        s[j] = T.Exp(s[j] - max);
                        sum += s[j];
                    }

                    for (int j = 0; j < s.Length; j++)
                    {
                        if (!Sees(b, h, i, j, sequence, call, mask, modifiers, options))
                            continue;
                        ReadOnlySpan<float> v = Row(value, call.Operands.ValueStrides, sequence.Batch, keyValueHead, sequence.KeyStart + j, valueDim);
                        for (int c = 0; c < valueDim; c++)
                            o[c] += s[j] * T.CreateTruncating(v[c]);
                    }

                    for (int c = 0; c < valueDim; c++)
                        o[c] /= sum;
                    if (wantsLogSumExp)
                        logSumExp[row] = max + T.Log(sum);
                }
            }
        }
    }

    /// <summary>Computes the scores of every query and key up to some stage: what no kernel ever holds.</summary>
    /// <typeparam name="T"><see cref="double"/> for an oracle, <see cref="float"/> for what naive code gives.</typeparam>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="scores">Written: [B, H, L_q, L_k].</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, at least 1.</param>
    /// <param name="stage">How far.</param>
    /// <param name="modifiers">Masks, lengths, biases and sinks; not ragged.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, softcap, window, causal offset, layout and strides.</param>
    /// <exception cref="ArgumentException">A length, stride or size does not fit; the parameter is named and nothing has been written.</exception>
    public static void Scores<T>(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        Span<T> scores,
        AttentionShape shape,
        int headDim,
        AttentionScoreStage stage,
        in AttentionModifiers modifiers = default,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ScaledDotProductAttention.CheckDimensions(headDim, headDim, mask);
        if (stage is < AttentionScoreStage.Scaled or > AttentionScoreStage.Probabilities)
            throw new ArgumentOutOfRangeException(nameof(stage), stage, "The stage is not defined.");

        AttentionCall call = CallValidation.CheckScores<T>(nameof(scores), headDim, mask, AttentionFeatures.All, query, key, scores, shape, modifiers, options);
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = SequenceAt(b, shape, modifiers, options);
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                for (int i = 0; i < shape.QueryLength; i++)
                {
                    options.CancellationToken.ThrowIfCancellationRequested();
                    ReadOnlySpan<float> q = Row(query, call.Operands.QueryStrides, b, h, i, headDim);
                    Span<T> s = scores.Slice(((b * shape.QueryHeads + h) * shape.QueryLength + i) * shape.KeyLength, shape.KeyLength);
                    for (int j = 0; j < s.Length; j++)
                    {
                        s[j] = Score<T>(q, Row(key, call.Operands.KeyStrides, b, h / call.GroupSize, j, headDim), options);
                        if (stage >= AttentionScoreStage.Softcapped)
                            s[j] = Softcapped(s[j], options);
                        if (stage >= AttentionScoreStage.Masked)
                            s[j] = Masked(s[j], b, h, i, j, sequence, call, mask, modifiers, options);
                    }

                    if (stage == AttentionScoreStage.Probabilities)
                        Softmax(s, modifiers.Sinks.IsEmpty ? T.NegativeInfinity : T.CreateChecked(modifiers.Sinks[h]));
                }
            }
        }
    }

    private static T Score<T>(ReadOnlySpan<float> query, ReadOnlySpan<float> key, in AttentionOptions options)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T scale = options.Scale is { } given ? T.CreateChecked(given) : T.One / T.Sqrt(T.CreateChecked(query.Length));
        T dot = T.Zero;
        for (int t = 0; t < query.Length; t++)
            dot += T.CreateTruncating(query[t]) * T.CreateTruncating(key[t]);
        return dot * scale;
    }

    private static T Softcapped<T>(T score, in AttentionOptions options)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        options.Softcap is { } cap ? T.CreateChecked(cap) * T.Tanh(score / T.CreateChecked(cap)) : score;

    private static T Masked<T>(
        T score, int batch, int head, int i, int j, in Sequence sequence, in AttentionCall call, AttentionMask mask, in AttentionModifiers modifiers, in AttentionOptions options)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (!Sees(batch, head, i, j, sequence, call, mask, modifiers, options))
            return T.NegativeInfinity;
        if (!modifiers.AdditiveMask.IsEmpty)
            score += T.CreateTruncating(modifiers.AdditiveMask[(int)Element(call.Visibility.AdditiveMask.Strides, batch, head, i, j)]);
        if (!modifiers.AlibiSlopes.IsEmpty)
            score -= T.CreateTruncating(modifiers.AlibiSlopes[head]) * T.CreateTruncating(Math.Abs((long)i + sequence.CausalOffset - j));
        return score;
    }

    /// <summary>Whether query i sees key j.</summary>
    private static bool Sees(int batch, int head, int i, int j, in Sequence sequence, in AttentionCall call, AttentionMask mask, in AttentionModifiers modifiers, in AttentionOptions options)
    {
        long own = (long)i + sequence.CausalOffset;
        if (i >= sequence.QueryLength || j >= sequence.KeyLength)
            return false;
        if (mask == AttentionMask.Causal && j > own)
            return false;
        if (options.Window is { } window && (j < own - (window.Left ?? VisibilityInputs.Unbounded) || j > own + (window.Right ?? VisibilityInputs.Unbounded)))
            return false;
        if (IsPresent(modifiers.AdditiveMask, call.Visibility.AdditiveMask.Strides)
            && (HidesRest(call.Visibility.AdditiveMask.Strides, j) || float.IsNegativeInfinity(modifiers.AdditiveMask[(int)Element(call.Visibility.AdditiveMask.Strides, batch, head, i, j)])))
        {
            return false;
        }

        if (IsPresent(modifiers.BooleanMask, call.Visibility.BooleanMask.Strides)
            && (HidesRest(call.Visibility.BooleanMask.Strides, j) || !modifiers.BooleanMask[(int)Element(call.Visibility.BooleanMask.Strides, batch, head, i, j)]))
        {
            return false;
        }

        if (!IsPresent(modifiers.PackedMask, call.Visibility.BitMask.Strides))
            return true;
        if (HidesRest(call.Visibility.BitMask.Strides, j))
            return false;
        long bit = Element(call.Visibility.BitMask.Strides, batch, head, i, j);
        return (modifiers.PackedMask[(int)(bit >> 3)] >> (int)(bit & 7) & 1) != 0;
    }

    private static bool IsPresent<TElement>(ReadOnlySpan<TElement> mask, in AttentionMaskStrides strides) =>
        !mask.IsEmpty || (CallValidation.IsGiven(mask) && strides.KeyLength == 0);

    /// <summary>Whether a key is past the end of a mask's rows, which hides it.</summary>
    private static bool HidesRest(in AttentionMaskStrides strides, int key) => key >= strides.KeyLength && !strides.RepeatsKeys;

    private static long Element(in AttentionMaskStrides strides, int batch, int head, int query, int key) =>
        batch * strides.Batch + head * strides.Head + query * strides.Query + (strides.RepeatsKeys ? 0 : key);

    private static void Softmax<T>(Span<T> scores, T sink)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T max = sink;
        foreach (T score in scores)
            max = T.Max(max, score);
        if (T.IsNegativeInfinity(max))
        {
            scores.Clear();
            return;
        }

        T sum = T.Exp(sink - max);
        foreach (T score in scores)
            sum += T.Exp(score - max);
        foreach (ref T score in scores)
            score = T.Exp(score - max) / sum;
    }

    private static Sequence SequenceAt(int index, in AttentionShape shape, in AttentionModifiers modifiers, in AttentionOptions options)
    {
        bool isRagged = !modifiers.QueryStarts.IsEmpty;
        int queryStart = isRagged ? modifiers.QueryStarts[index] : 0, keyStart = isRagged ? modifiers.KeyStarts[index] : 0;
        int queryLength = isRagged ? modifiers.QueryStarts[index + 1] - queryStart : modifiers.QueryLengths.IsEmpty ? shape.QueryLength : modifiers.QueryLengths[index];
        int keyLength = isRagged ? modifiers.KeyStarts[index + 1] - keyStart : modifiers.KeyLengths.IsEmpty ? shape.KeyLength : modifiers.KeyLengths[index];
        int offset = !modifiers.CausalOffsets.IsEmpty ? modifiers.CausalOffsets[index] : options.CausalOffset ?? Sequence.DefaultOffset(CallValidation.IsSelfAttention(shape, modifiers), queryLength, keyLength);
        return new(isRagged ? 0 : index, index, queryStart, queryLength, keyStart, keyLength, offset);
    }

    private static ReadOnlySpan<float> Row(ReadOnlySpan<float> buffer, in AttentionStrides strides, int batch, int head, int token, int dim) =>
        buffer.Slice((int)Start(strides, batch, head, token), dim);

    private static long Start(in AttentionStrides strides, int batch, int head, int token) =>
        batch * strides.Batch + head * strides.Head + token * strides.Length;
}
