using System;
using System.Numerics;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Attention exactly as the formula says, one query at a time, with the whole row of scores in memory: what the kernels are
/// tested against, and the shortest description of what they compute.
/// </summary>
public static class AttentionReference
{
    /// <summary>
    /// Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> in the arithmetic of <typeparamref name="T"/>, with the three passes
    /// maximum, exponentials, quotient ("Attention Is All You Need", arXiv 1706.03762, §3.2.1).
    /// </summary>
    /// <typeparam name="T"><see cref="double"/> for an oracle, <see cref="float"/> for what naive code gives.</typeparam>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the shape's layout says, or at strides.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes, and the layout of the buffers.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks, in any combination.</param>
    /// <param name="logSumExp">LSE, written: [B, H, L_q] or, for ragged batches, [H, T]; −∞ for a query that sees no key and has no sink. Empty for none.</param>
    /// <param name="valueDim">Value dimension d_v, likewise; <paramref name="headDim"/> if null.</param>
    /// <param name="outputStrides">The strides of the rows of the output; null for the shape's layout.</param>
    /// <param name="cancellationToken">Ends the call between queries.</param>
    /// <remarks>A query that sees no key, or none with a score above −∞, gets zeros. Another key with a score of −∞ has weight 0.</remarks>
    /// <exception cref="ArgumentException">As <see cref="AttentionKernel.Forward"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified.</exception>
    public static void Forward<T>(
        AttentionInput query,
        AttentionInput key,
        AttentionInput value,
        Span<T> output,
        AttentionShape shape,
        int headDim,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        Span<T> logSumExp = default,
        int? valueDim = null,
        AttentionStrides? outputStrides = null,
        CancellationToken cancellationToken = default)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        Compute(query, key, value, output, outputStrides, logSumExp, shape, headDim, valueDim ?? headDim, mask, options, cancellationToken);

    private static void Compute<T>(
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        Span<T> output,
        AttentionStrides? outputStrides,
        Span<T> logSumExp,
        in AttentionShape shape,
        int headDim,
        int valueDim,
        AttentionMask mask,
        in AttentionOptions options,
        CancellationToken cancellationToken)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ScaledDotProductAttention.CheckDims(headDim, valueDim, mask);
        bool wantsLogSumExp = !logSumExp.IsEmpty;
        CallValidation.Check<T, T>(
            new(headDim, valueDim, mask, AttentionFeatures.All), query, key, value, output, outputStrides, logSumExp, wantsLogSumExp, shape, options, execution: default, out AttentionCall call);
        cancellationToken.ThrowIfCancellationRequested();
        var scores = new T[shape.Batch == 0 ? 0 : call.Shape.KeyLength];
        float[] queryRow = new float[headDim], keyRow = new float[headDim], valueRow = new float[valueDim];
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = Sequence.Of(b, shape, options);
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                int keyValueHead = h / call.GroupSize;
                for (int i = sequence.QueryLength; i < call.Shape.QueryLength && !options.QueryLengths.IsEmpty; i++)
                {
                    output.Slice((int)Start(call.Operands.OutputStrides, b, h, i), valueDim).Clear();
                    if (wantsLogSumExp)
                        logSumExp[(b * shape.QueryHeads + h) * shape.QueryLength + i] = T.NegativeInfinity;
                }

                for (int i = 0; i < sequence.QueryLength; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Span<T> s = scores.AsSpan(0, sequence.KeyLength);
                    ReadOnlySpan<float> q = Row(query, call.Operands.QueryStrides, sequence.QueryBatch, h, sequence.QueryStart + i, queryRow);
                    for (int j = 0; j < s.Length; j++)
                    {
                        s[j] = Score<T>(q, StoredRow(key, call.Operands.Key, options.KeyPages, sequence, shape.Batch, keyValueHead, j, keyRow), options);
                        s[j] = Masked(Softcapped(s[j], options), b, h, i, j, sequence, call, mask, options);
                    }

                    T max = T.NegativeInfinity;
                    foreach (T score in s)
                        max = T.Max(max, score);
                    T sink = options.Sinks.IsEmpty ? T.NegativeInfinity : T.CreateChecked(options.Sinks[h]);
                    max = T.Max(max, sink);

                    Span<T> o = output.Slice((int)Start(call.Operands.OutputStrides, sequence.QueryBatch, h, sequence.QueryStart + i), valueDim);
                    o.Clear();
                    int row = (sequence.QueryBatch * shape.QueryHeads + h) * call.Operands.QueryTokens + sequence.QueryStart + i;
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
                        if (!Sees(b, h, i, j, sequence, call, mask, options))
                            continue;
                        ReadOnlySpan<float> v = StoredRow(value, call.Operands.Value, options.KeyPages, sequence, shape.Batch, keyValueHead, j, valueRow);
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

    /// <summary>Computes the scores of every query and key up to a given stage: what no kernel ever holds.</summary>
    /// <typeparam name="T"><see cref="double"/> for an oracle, <see cref="float"/> for what naive code gives.</typeparam>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the shape's layout says, or at strides.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="scores">Written: [B, H, L_q, L_k].</param>
    /// <param name="shape">The sizes, and the layout of query and key.</param>
    /// <param name="stage">The stage after which the scores are written.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed, as in <see cref="Forward"/>; not ragged.</param>
    /// <param name="cancellationToken">Ends the call between queries.</param>
    /// <exception cref="ArgumentException">A length, stride or size does not fit; the parameter is named and nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the scores hold is unspecified.</exception>
    public static void Scores<T>(
        AttentionInput query,
        AttentionInput key,
        Span<T> scores,
        AttentionShape shape,
        AttentionScoreStage stage,
        int headDim,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        CancellationToken cancellationToken = default)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ScaledDotProductAttention.CheckDims(headDim, headDim, mask);
        if (stage is < AttentionScoreStage.Scaled or > AttentionScoreStage.Probabilities)
            throw new ArgumentOutOfRangeException(nameof(stage), stage, "The stage is not defined.");

        CallValidation.CheckScores<T>(nameof(scores), new(headDim, headDim, mask, AttentionFeatures.All), query, key, scores, shape, options, execution: default, out AttentionCall call);
        float[] queryRow = new float[headDim], keyRow = new float[headDim];
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = Sequence.Of(b, shape, options);
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                for (int i = 0; i < shape.QueryLength; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    ReadOnlySpan<float> q = Row(query, call.Operands.QueryStrides, b, h, i, queryRow);
                    Span<T> s = scores.Slice(((b * shape.QueryHeads + h) * shape.QueryLength + i) * shape.KeyLength, shape.KeyLength);
                    for (int j = 0; j < s.Length; j++)
                    {
                        s[j] = Score<T>(q, StoredRow(key, call.Operands.Key, options.KeyPages, sequence, shape.Batch, h / call.GroupSize, j, keyRow), options);
                        if (stage >= AttentionScoreStage.Softcapped)
                            s[j] = Softcapped(s[j], options);
                        if (stage >= AttentionScoreStage.Masked)
                            s[j] = Masked(s[j], b, h, i, j, sequence, call, mask, options);
                    }

                    if (stage == AttentionScoreStage.Probabilities)
                        Softmax(s, options.Sinks.IsEmpty ? T.NegativeInfinity : T.CreateChecked(options.Sinks[h]));
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
        T score, int batch, int head, int i, int j, in Sequence sequence, in AttentionCall call, AttentionMask mask, in AttentionOptions options)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (!Sees(batch, head, i, j, sequence, call, mask, options))
            return T.NegativeInfinity;
        if (options.MaskOf(MaskElement.Float) is { IsGiven: true } additive)
            score += T.CreateTruncating(additive[call.Visibility.MaskOf(MaskElement.Float).Layout.Element(batch, head, i, j)]);
        if (!options.AlibiSlopes.IsEmpty)
            score -= T.CreateTruncating(options.AlibiSlopes[head]) * T.CreateTruncating(Math.Abs((long)i + sequence.PositionOffset - j));
        return score;
    }

    /// <summary>Whether query i sees key j.</summary>
    private static bool Sees(int batch, int head, int i, int j, in Sequence sequence, in AttentionCall call, AttentionMask mask, in AttentionOptions options)
    {
        long own = (long)i + sequence.PositionOffset;
        if (i >= sequence.QueryLength || j >= sequence.KeyLength)
            return false;
        if (mask == AttentionMask.Causal && j > own)
            return false;
        if (options.Window is { } window && (j < own - (window.Left ?? VisibilityInputs.Unbounded) || j > own + (window.Right ?? VisibilityInputs.Unbounded)))
            return false;
        foreach (MaskElement element in MaskTensor.Elements)
        {
            MaskLayout layout = call.Visibility.MaskOf(element).Layout;
            if (options.MaskOf(element) is { IsGiven: true } tensor && (layout.HidesRest(j) || float.IsNegativeInfinity(tensor[layout.Element(batch, head, i, j)])))
                return false;
        }

        return true;
    }

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

    private static ReadOnlySpan<float> Row(in AttentionInput input, in AttentionStrides strides, int batch, int head, int token, Span<float> scratch) =>
        input.Row(Start(strides, batch, head, token), scratch);

    /// <summary>Key or value j of a sequence, scaled.</summary>
    private static ReadOnlySpan<float> StoredRow(
        in AttentionInput input, in CallOperands.Stored stored, in AttentionPages pages, in Sequence sequence, int batch, int head, int j, Span<float> scratch)
    {
        (int place, int token) = pages.IsGiven
            ? (pages.Table[sequence.Index * pages.PagesOfSequence(batch) + j / pages.PageSize], j % pages.PageSize)
            : (sequence.KeyBatch, sequence.KeyStart + j);
        ReadOnlySpan<float> row = Row(input, stored.Strides, place, head, token, scratch);
        if (!AttentionInput.HasScales(input.Element))
            return row;
        if (input.Element == AttentionElement.Int4)
        {
            ReadOnlySpan<Half> scalesAndMinima = input.Scales.ScalesAndMinima[(int)Start(stored.ScaleStrides, place, head, token / AttentionInput.ScaledTokens)..];
            for (int c = 0; c < scratch.Length; c++)
                scratch[c] = (float)scalesAndMinima[c] * scratch[c] + (float)scalesAndMinima[scratch.Length + c];
            return row;
        }

        ReadOnlySpan<float> scales = input.Scales.Scales;
        for (int c = 0; c < scratch.Length; c++)
            scratch[c] *= stored.HasChannelScales ? scales[head * scratch.Length + c] : scales[(int)Start(stored.ScaleStrides, place, head, token)];
        return row;
    }

    private static long Start(in AttentionStrides strides, int batch, int head, int token) =>
        batch * strides.Batch + head * strides.Head + token * strides.Length;
}
