using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Where a call writes its output and, if requested, the logarithm of each query's softmax denominator. Both together are the state of a
/// softmax over some of the keys: states over disjoint sets of keys merge to the state over their union (arXiv 2501.01005, §2.2).
/// Arrays and spans convert to an output without log-sum-exp. Outputs are floats, halves or bfloat16 numbers. 16-bit outputs are rounded once, to nearest, ties to even, from
/// the floats that would otherwise be the output: all arithmetic is float32, and the log-sum-exp is a float.
/// </summary>
/// <remarks>Buffers may be longer than needed, as pooled arrays are; what follows the needed elements is left alone.</remarks>
public readonly ref struct AttentionOutput
{
    private readonly ref byte _start;

    // Untyped numbers that could be any of the three, as in a collection expression, are floats.
    /// <summary>An output of floats, in the order of the shape's <see cref="AttentionShape.Layout"/> where no strides are given.</summary>
    /// <param name="elements">O, written: [B, H, L_q, d_v] or [B, L_q, H, d_v], or as <paramref name="strides"/> say. Must not overlap another buffer.</param>
    /// <param name="strides">The strides of its rows; null for the shape's layout. They must not overlap.</param>
    [OverloadResolutionPriority(1)]
    public AttentionOutput(Span<float> elements, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.Float32, strides)
    {
    }

    /// <summary>An output of floats and its log-sum-exp.</summary>
    /// <param name="elements">O, written: [B, H, L_q, d_v] or [B, L_q, H, d_v], or as <paramref name="strides"/> say. Must not overlap another buffer.</param>
    /// <param name="logSumExp">
    /// <c>LSE = ln(Σ_j exp(s_j) + exp(sink))</c> of each query, over the scores <c>s</c> of the keys that it sees, after all steps that change them. Written:
    /// [B, H, L_q], or [H, T] of ragged batches, always contiguous; −∞ for a query that sees no key and has no sink.
    /// </param>
    /// <param name="strides">The strides of the rows of O; null for the shape's layout.</param>
    [OverloadResolutionPriority(1)]
    public AttentionOutput(Span<float> elements, Span<float> logSumExp, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.Float32, strides)
    {
        LogSumExp = logSumExp;
        HasLogSumExp = true;
    }

    /// <summary>An output of halves, in the order of the shape's <see cref="AttentionShape.Layout"/> where no strides are given.</summary>
    /// <param name="elements">O, written. Must not overlap another buffer.</param>
    /// <param name="strides">The strides of its rows, in elements; null for the shape's layout. They must not overlap.</param>
    public AttentionOutput(Span<Half> elements, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.Float16, strides)
    {
    }

    /// <summary>An output of halves and its log-sum-exp, which is a float.</summary>
    /// <param name="elements">O, written. Must not overlap another buffer.</param>
    /// <param name="logSumExp">LSE, written, as where outputs are floats.</param>
    /// <param name="strides">The strides of the rows of O, in elements; null for the shape's layout.</param>
    public AttentionOutput(Span<Half> elements, Span<float> logSumExp, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.Float16, strides)
    {
        LogSumExp = logSumExp;
        HasLogSumExp = true;
    }

    /// <summary>An output of bfloat16 numbers, in the order of the shape's <see cref="AttentionShape.Layout"/> where no strides are given.</summary>
    /// <param name="elements">O, written. Must not overlap another buffer.</param>
    /// <param name="strides">The strides of its rows, in elements; null for the shape's layout. They must not overlap.</param>
    public AttentionOutput(Span<BFloat16> elements, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.BFloat16, strides)
    {
    }

    /// <summary>An output of bfloat16 numbers and its log-sum-exp, which is a float.</summary>
    /// <param name="elements">O, written. Must not overlap another buffer.</param>
    /// <param name="logSumExp">LSE, written, as where outputs are floats.</param>
    /// <param name="strides">The strides of the rows of O, in elements; null for the shape's layout.</param>
    public AttentionOutput(Span<BFloat16> elements, Span<float> logSumExp, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.BFloat16, strides)
    {
        LogSumExp = logSumExp;
        HasLogSumExp = true;
    }

    private AttentionOutput(ref byte start, int length, AttentionElement element, AttentionStrides? strides)
    {
        _start = ref start;
        Length = length;
        Element = element;
        Strides = strides;
    }

    /// <summary>Elements in the buffer of O.</summary>
    public int Length { get; }

    /// <summary>What they are: <see cref="AttentionElement.Float32"/>, <see cref="AttentionElement.Float16"/> or <see cref="AttentionElement.BFloat16"/>.</summary>
    public AttentionElement Element { get; }

    /// <summary>O, if it is floats.</summary>
    /// <exception cref="InvalidOperationException">It is not floats (<see cref="Element"/>).</exception>
    public Span<float> Elements => Element == AttentionElement.Float32 ? ElementsAs<float>() : throw new InvalidOperationException($"The output is of {Element}, not of floats.");

    /// <summary>LSE; empty if it is not requested.</summary>
    public Span<float> LogSumExp { get; }

    /// <summary>The strides of the rows of O; null for the shape's <see cref="AttentionShape.Layout"/>.</summary>
    public AttentionStrides? Strides { get; }

    /// <summary>Whether the log-sum-exp is requested, even if it is empty.</summary>
    internal bool HasLogSumExp { get; }

    /// <summary>The first byte; null without elements.</summary>
    internal ref byte Start => ref _start;

    /// <summary>An output without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(float[]? elements) => new((Span<float>)elements);

    /// <summary>An output without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(Span<float> elements) => new(elements);

    /// <summary>An output of halves without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(Half[]? elements) => new((Span<Half>)elements);

    /// <summary>An output of halves without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(Span<Half> elements) => new(elements);

    /// <summary>An output of bfloat16 numbers without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(BFloat16[]? elements) => new((Span<BFloat16>)elements);

    /// <summary>An output of bfloat16 numbers without log-sum-exp, in the order of the shape's layout.</summary>
    /// <param name="elements">O, written.</param>
    public static implicit operator AttentionOutput(Span<BFloat16> elements) => new(elements);

    /// <summary>
    /// Merges another state into this one: <c>LSE = ln(e^LSE₁ + e^LSE₂)</c> and <c>O = e^(LSE₁−LSE)·O₁ + e^(LSE₂−LSE)·O₂</c>
    /// for each query. Merging is associative and commutative up to rounding. A state of no keys, whose log-sum-exp is −∞, changes nothing,
    /// whatever its output holds; +∞, with which FlashAttention 2 marks such a state, means the same. Two of them merge to 0 and −∞.
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
    /// A length, stride or size does not fit, one of the states has no log-sum-exp or an output that is not floats, or buffers overlap; the message names this state's buffers
    /// <c>this</c>, and nothing has been written.
    /// </exception>
    public void Merge(AttentionOutput other, AttentionShape shape, int valueDim)
    {
        (AttentionStrides strides, AttentionStrides otherStrides) = CallValidation.CheckStates(BuffersOf("this"), other.BuffersOf(nameof(other)), shape, valueDim);
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

    /// <summary>The elements as what they are.</summary>
    internal Span<T> ElementsAs<T>()
        where T : unmanaged => MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref _start), Length);

    private static ref byte FirstOf<T>(Span<T> elements)
        where T : unmanaged => ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(elements));

    /// <summary>The buffers of a state that is merged.</summary>
    private StateBuffers BuffersOf(string name) => Element == AttentionElement.Float32
        ? new(ElementsAs<float>(), Strides, LogSumExp, HasLogSumExp)
        : throw new ArgumentException($"The output is of {Element}: states merge as floats, since what is rounded to 16 bits is no state any more.", name);

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
