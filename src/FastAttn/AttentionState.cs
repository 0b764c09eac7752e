using System;
using System.Numerics;
using System.Runtime.InteropServices;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// The state of a softmax over some of the keys, as its output and log-sum-exp tell it: states over disjoint sets of keys
/// merge to the state over their union (arXiv 2501.01005, §2.2). Any number of threads may call at once, on buffers of their own.
/// </summary>
public static class AttentionState
{
    /// <summary>
    /// Merges another state into this one: <c>LSE = ln(e^LSE₁ + e^LSE₂)</c> and <c>O = e^(LSE₁−LSE)·O₁ + e^(LSE₂−LSE)·O₂</c>
    /// for each query. Merging is associative and commutative up to rounding. A state of no keys, whose log-sum-exp is −∞, changes nothing,
    /// whatever its output holds; +∞, FlashAttention 2's mark of such a state, means the same. Two of them merge to 0 and −∞.
    /// </summary>
    /// <param name="output">O₁, then O: [B, H, L_q, d_v], or [B, L_q, H, d_v], or as strides of the options say.</param>
    /// <param name="logSumExp">LSE₁, then LSE: [B, H, L_q].</param>
    /// <param name="otherOutput">O₂, as <paramref name="output"/>.</param>
    /// <param name="otherLogSumExp">LSE₂, as <paramref name="logSumExp"/>.</param>
    /// <param name="shape">The sizes; key-value heads and key length are ignored.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="ScaledDotProductAttention.MaxDimension"/>.</param>
    /// <param name="options">The layout, or the strides of the output, of both outputs; all else is ignored.</param>
    /// <remarks>
    /// A log-sum-exp is a float, and half its ulp is a relative error of the states' weights: 5·10⁻⁴ at |LSE| = 10⁴, 5·10⁻⁷ below 16.
    /// Nothing is allocated. A ragged batch is a shape of one sequence with as many queries as there are tokens. An attention
    /// sink is part of a log-sum-exp: give it to one of the parts only.
    /// </remarks>
    /// <exception cref="ArgumentException">A length, stride or size does not fit, or buffers overlap; the parameter is named and nothing has been written.</exception>
    public static void Merge(
        Span<float> output,
        Span<float> logSumExp,
        ReadOnlySpan<float> otherOutput,
        ReadOnlySpan<float> otherLogSumExp,
        AttentionShape shape,
        int valueDim,
        AttentionOptions options = default)
    {
        AttentionStrides strides = CallValidation.CheckStates(output, logSumExp, otherOutput, otherLogSumExp, shape, valueDim, options);
        for (int row = 0; row < logSumExp.Length; row++)
        {
            (int rest, int i) = Math.DivRem(row, shape.QueryLength);
            (int b, int h) = Math.DivRem(rest, shape.QueryHeads);
            int start = (int)(b * strides.Batch + h * strides.Head + i * strides.Length);
            logSumExp[row] = MergeRow(output.Slice(start, valueDim), logSumExp[row], otherOutput.Slice(start, valueDim), otherLogSumExp[row]);
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
