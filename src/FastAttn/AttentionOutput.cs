using System;
using System.Numerics;
using System.Runtime.InteropServices;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Where a call writes its output and, if wanted, the logarithm of each query's softmax denominator. Both together are the state of a
/// softmax over some of the keys: states over disjoint sets of keys merge to the state over their union (arXiv 2501.01005, §2.2).
/// Arrays and spans convert to an output without log-sum-exp.
/// </summary>
/// <remarks>Buffers may be longer than needed, as pooled arrays are; what is after the needed elements is left alone.</remarks>
public readonly ref struct AttentionOutput
{
    /// <summary>An output in the order of the shape's <see cref="AttentionShape.Layout"/>.</summary>
    /// <param name="elements">O, written: [B, H, L_q, d_v] or [B, L_q, H, d_v]. Must not overlap another buffer.</param>
    public AttentionOutput(Span<float> elements) => Elements = elements;

    /// <summary>An output and its log-sum-exp.</summary>
    /// <param name="elements">O, written: [B, H, L_q, d_v] or [B, L_q, H, d_v], or as <paramref name="strides"/> say. Must not overlap another buffer.</param>
    /// <param name="logSumExp">
    /// <c>LSE = ln(Σ_j exp(s_j) + exp(sink))</c> of each query, over the scores <c>s</c> of the keys that it sees, after all that changes them. Written:
    /// [B, H, L_q], or [H, T] of ragged batches, always contiguous; −∞ for a query that sees no key and has no sink.
    /// </param>
    /// <param name="strides">Where the rows of O stand; null for the shape's layout.</param>
    public AttentionOutput(Span<float> elements, Span<float> logSumExp, AttentionStrides? strides = null)
    {
        Elements = elements;
        LogSumExp = logSumExp;
        Strides = strides;
        HasLogSumExp = true;
    }

    /// <summary>An output whose rows stand at strides.</summary>
    /// <param name="elements">O, written. Must not overlap another buffer.</param>
    /// <param name="strides">Where its rows stand; they must not overlap.</param>
    public AttentionOutput(Span<float> elements, AttentionStrides strides)
    {
        Elements = elements;
        Strides = strides;
    }

    /// <summary>O.</summary>
    public Span<float> Elements { get; }

    /// <summary>LSE; empty where it is not wanted.</summary>
    public Span<float> LogSumExp { get; }

    /// <summary>Where the rows of O stand; null for the shape's <see cref="AttentionShape.Layout"/>.</summary>
    public AttentionStrides? Strides { get; }

    /// <summary>Whether the log-sum-exp is wanted, be it empty.</summary>
    internal bool HasLogSumExp { get; }

    private StateBuffers Buffers => new(Elements, Strides, LogSumExp, HasLogSumExp);

    /// <summary>An output without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(float[]? elements) => new(elements);

    /// <summary>An output without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(Span<float> elements) => new(elements);

    /// <summary>
    /// Merges another state into this one: <c>LSE = ln(e^LSE₁ + e^LSE₂)</c> and <c>O = e^(LSE₁−LSE)·O₁ + e^(LSE₂−LSE)·O₂</c>
    /// for each query. Merging is associative and commutative up to rounding. A state of no keys, whose log-sum-exp is −∞, changes nothing,
    /// whatever its output holds; +∞, FlashAttention 2's mark of such a state, means the same. Two of them merge to 0 and −∞.
    /// </summary>
    /// <param name="other">O₂ and LSE₂; read only.</param>
    /// <param name="shape">The sizes and the layout of both; key-value heads and key length are ignored.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <remarks>
    /// <para>
    /// Parts of the keys under a causal mask, a window or ALiBi must say where they begin (<see cref="AttentionOptions.KeyPart"/>): the default positions are
    /// those of a call that has all keys. An attention sink is part of a log-sum-exp: give it to one of the parts only.
    /// </para>
    /// <para>
    /// A log-sum-exp is a float, and half its ulp is a relative error of the states' weights: 5·10⁻⁴ at |LSE| = 10⁴, 5·10⁻⁷ below 16.
    /// Nothing is allocated, and any number of threads may merge at once, into buffers of their own. A ragged batch is a shape of one
    /// sequence with as many queries as there are tokens.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A length, stride or size does not fit, one of the states has no log-sum-exp, or buffers overlap; the message names this state's buffers
    /// <c>this</c>, and nothing has been written.
    /// </exception>
    public void Merge(AttentionOutput other, AttentionShape shape, int valueDim)
    {
        (AttentionStrides strides, AttentionStrides otherStrides) = CallValidation.CheckStates(Buffers, other.Buffers, shape, valueDim);
        int rows = shape.Batch * shape.QueryHeads * shape.QueryLength;
        for (int row = 0; row < rows; row++)
        {
            (int rest, int i) = Math.DivRem(row, shape.QueryLength);
            (int b, int h) = Math.DivRem(rest, shape.QueryHeads);
            LogSumExp[row] = MergeRow(Row(Elements, strides), LogSumExp[row], Row(other.Elements, otherStrides), other.LogSumExp[row]);

            Span<float> Row(Span<float> elements, in AttentionStrides strides) =>
                elements.Slice((int)(b * strides.Batch + h * strides.Head + i * strides.Length), valueDim);
        }
    }

    private static float MergeRow(Span<float> output, float logSumExp, ReadOnlySpan<float> otherOutput, float otherLogSumExp)
    {
        if (float.IsInfinity(otherLogSumExp))
        {
            if (!float.IsInfinity(logSumExp))
                return logSumExp;
            output.Clear();
            return float.NegativeInfinity;
        }

        if (float.IsInfinity(logSumExp))
        {
            otherOutput.CopyTo(output);
            return otherLogSumExp;
        }

        double max = Math.Max(logSumExp, otherLogSumExp);
        double weight = Math.Exp(logSumExp - max), otherWeight = Math.Exp(otherLogSumExp - max), sum = weight + otherWeight;
        Blend(output, (float)(weight / sum), otherOutput, (float)(otherWeight / sum));
        return (float)(max + Math.Log(sum));
    }

    private static void Blend(Span<float> output, float weight, ReadOnlySpan<float> other, float otherWeight)
    {
        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(output);
        ReadOnlySpan<Vector<float>> others = MemoryMarshal.Cast<float, Vector<float>>(other);
        for (int i = 0; i < vectors.Length; i++)
            vectors[i] = vectors[i] * weight + others[i] * otherWeight;
        for (int i = vectors.Length * Vector<float>.Count; i < output.Length; i++)
            output[i] = output[i] * weight + other[i] * otherWeight;
    }
}
