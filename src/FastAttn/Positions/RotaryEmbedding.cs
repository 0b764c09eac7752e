using System;
using System.Runtime.Intrinsics;
using System.Threading;

namespace FastAttn;

/// <summary>
/// Rotary position embedding (RoFormer, arXiv 2104.09864; ONNX RotaryEmbedding-23): at position <c>p</c> the pair
/// <c>(x, y)</c> number <c>i</c> of a head becomes <c>(x·cos a − y·sin a, x·sin a + y·cos a)·m</c> with <c>a = p·f_i</c>,
/// <c>f_i = base^(−2i/n)</c> and the attention factor <c>m</c>, usually 1. Elements past the first <c>n</c> of a head stay as they are.
/// </summary>
/// <remarks>
/// <para>
/// A position may have several axes, as an image's row and column; each pair is rotated by one of them: <c>a = p[axis_i]·f_i</c>. Qwen2-VL's
/// multimodal embedding (arXiv 2409.12191) has the axes time, height and width, 0 for its first 16 pairs, then 1 for 24 and 2 for 24.
/// A token with one position has the same position on every axis.
/// </para>
/// <para>
/// Cosines and sines are computed in double and rounded to float32. Those of the positions below 32768 are kept once they have been needed, in
/// 4·n bytes per position; others are computed for each call, with the same bits. Instances may be used by any number of threads and layers at
/// once.
/// </para>
/// </remarks>
public sealed class RotaryEmbedding
{
    // A choice: 16 MiB where n is 128. Beyond, a token's cosines and sines take some microseconds, its attention milliseconds.
    private const int KeptPositions = 1 << 15;

    // Positions that are computed together when one of them is needed: some ten microseconds, so that the next token seldom waits for them.
    private const int ChunkPositions = 16;

    private readonly double[] _frequencies;
    private readonly int[] _axes;

    // Chunk c holds positions c·ChunkPositions and following: for each the n/2 cosines, then the n/2 sines, both times the factor.
    // Null until needed, never changed.
    private readonly float[]?[] _chunks = new float[]?[KeptPositions / ChunkPositions];

    /// <summary>An embedding whose frequencies are powers of a base.</summary>
    /// <param name="dim">n: how many elements of a head are rotated; even, at least 2.</param>
    /// <param name="pairing">Which elements make a pair.</param>
    /// <param name="frequencyBase">The base of the frequencies, positive and finite: 10000 in the paper, 500000 in Llama 3.</param>
    /// <param name="attentionFactor">m, as <see cref="AttentionFactor"/>.</param>
    /// <param name="axes">[n/2]: for each pair the axis of its position, 0 to n/2 − 1; empty if positions have one axis.</param>
    /// <exception cref="ArgumentException">There are not as many axes as pairs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An argument is outside its range.</exception>
    public RotaryEmbedding(
        int dim, RotaryPairing pairing = RotaryPairing.HalfSplit, double frequencyBase = 10000, double attentionFactor = 1, ReadOnlySpan<int> axes = default)
        : this(Frequencies(dim, frequencyBase), pairing, attentionFactor, axes)
    {
    }

    /// <summary>An embedding with given frequencies, such as scaled ones for long contexts.</summary>
    /// <param name="frequencies">[n/2]: f_i in radians per position, one for each pair; finite.</param>
    /// <param name="pairing">Which elements make a pair.</param>
    /// <param name="attentionFactor">m, as <see cref="AttentionFactor"/>.</param>
    /// <param name="axes">[n/2]: for each pair the axis of its position, 0 to n/2 − 1; empty if positions have one axis.</param>
    /// <exception cref="ArgumentException">There are no frequencies, one is not finite, or there are not as many axes as pairs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Another argument is outside its range.</exception>
    public RotaryEmbedding(
        ReadOnlySpan<double> frequencies, RotaryPairing pairing = RotaryPairing.HalfSplit, double attentionFactor = 1, ReadOnlySpan<int> axes = default)
    {
        if (frequencies.IsEmpty || frequencies.Length > ScaledDotProductAttention.MaxDim / 2)
            throw new ArgumentException($"Has {frequencies.Length} elements; expected one for each pair of a head, 1 to {ScaledDotProductAttention.MaxDim / 2}.", nameof(frequencies));
        foreach (double frequency in frequencies)
        {
            if (!double.IsFinite(frequency))
                throw new ArgumentException($"Frequencies must be finite; one is {frequency}.", nameof(frequencies));
        }

        if (pairing is not (RotaryPairing.HalfSplit or RotaryPairing.Interleaved))
            throw new ArgumentOutOfRangeException(nameof(pairing), pairing, "The pairing is not defined.");
        if (!(attentionFactor > 0 && float.IsFinite((float)attentionFactor)))
            throw new ArgumentOutOfRangeException(nameof(attentionFactor), attentionFactor, "The factor must be positive and finite in float32.");
        if (!axes.IsEmpty && axes.Length != frequencies.Length)
            throw new ArgumentException($"Has {axes.Length} elements; expected one for each of {frequencies.Length} pairs.", nameof(axes));
        foreach (int axis in axes)
        {
            if (axis < 0 || axis >= frequencies.Length)
                throw new ArgumentOutOfRangeException(nameof(axes), axis, $"Axes must be 0 to {frequencies.Length - 1}.");
            Axes = Math.Max(Axes, axis + 1);
        }

        _frequencies = frequencies.ToArray();
        _axes = axes.ToArray();
        Pairing = pairing;
        AttentionFactor = attentionFactor;
    }

    /// <summary>n: how many elements of a head are rotated.</summary>
    public int Dim => 2 * _frequencies.Length;

    /// <summary>Which elements make a pair.</summary>
    public RotaryPairing Pairing { get; }

    /// <summary>
    /// m, by which cosines and sines are multiplied; positive. YaRN (arXiv 2309.00071, §3.4) has <c>0.1·ln(s) + 1</c> for contexts
    /// <c>s</c> times as long as those of the training. Queries and keys are both multiplied: the contribution of rotated elements to a score grows by
    /// <c>m²</c>, that of the others does not.
    /// </summary>
    public double AttentionFactor { get; }

    /// <summary>A: the axes of a position; 1 unless pairs have different axes.</summary>
    public int Axes { get; } = 1;

    /// <summary>Rotates the heads of consecutive tokens, in place.</summary>
    /// <param name="heads">[tokens, H, D].</param>
    /// <param name="headCount">H, at least 1.</param>
    /// <param name="headDim">D, at least <see cref="Dim"/>.</param>
    /// <param name="position">The position of the first token, on every axis, at least 0.</param>
    /// <exception cref="ArgumentException">The length is not a multiple of H·D, or a number is outside its range; nothing has been written.</exception>
    public void Apply(Span<float> heads, int headCount, int headDim, int position)
    {
        int tokens = Tokens(heads, headCount, headDim);
        if (position < 0 || (long)position + tokens - 1 > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"The positions of {tokens} tokens must be 0 to {int.MaxValue}.");
        Span<float> scratch = stackalloc float[Dim];
        for (int token = 0; token < tokens; token++)
            Turn(heads.Slice(token * headCount * headDim, headCount * headDim), headDim, Row(position + token, scratch));
    }

    /// <summary>Rotates the heads of tokens, each by its own position, in place.</summary>
    /// <param name="heads">[tokens, H, D].</param>
    /// <param name="headCount">H, at least 1.</param>
    /// <param name="headDim">D, at least <see cref="Dim"/>.</param>
    /// <param name="positions">[A, tokens] with <see cref="Axes"/> A: the positions, at least 0.</param>
    /// <exception cref="ArgumentException">A length does not fit, or a number is outside its range; nothing has been written.</exception>
    public void Apply(Span<float> heads, int headCount, int headDim, ReadOnlySpan<int> positions)
    {
        int tokens = Tokens(heads, headCount, headDim);
        if (positions.Length != (long)Axes * tokens)
            throw new ArgumentException($"Has {positions.Length} elements; axes {Axes} × tokens {tokens} need {(long)Axes * tokens}.", nameof(positions));
        foreach (int position in positions)
            ArgumentOutOfRangeException.ThrowIfNegative(position, nameof(positions));
        Span<float> scratch = stackalloc float[Dim];
        for (int token = 0; token < tokens; token++)
            Turn(heads.Slice(token * headCount * headDim, headCount * headDim), headDim, Row(positions[token..], tokens, scratch));
    }

    /// <summary>The cosines, then the sines of a position, times the factor.</summary>
    /// <param name="position">The position on every axis, at least 0.</param>
    /// <param name="scratch">n floats, which may be written and returned.</param>
    internal ReadOnlySpan<float> Row(int position, Span<float> scratch)
    {
        if (position >= KeptPositions)
        {
            Compute(position, scratch[..Dim]);
            return scratch[..Dim];
        }

        (int number, int inside) = Math.DivRem(position, ChunkPositions);
        return Chunk(number).AsSpan(inside * Dim, Dim);
    }

    /// <summary>As <see cref="Row(int, Span{float})"/>, for a token that has a position on each axis.</summary>
    /// <param name="positions">The position on axis <c>a</c> is element <c>a·stride</c>.</param>
    /// <param name="stride">From axis to axis.</param>
    /// <param name="scratch">n floats, which may be written and returned.</param>
    internal ReadOnlySpan<float> Row(ReadOnlySpan<int> positions, int stride, Span<float> scratch)
    {
        if (Axes == 1)
            return Row(positions[0], scratch);
        int pairs = _frequencies.Length;
        for (int i = 0; i < pairs; i++)
        {
            int position = positions[_axes[i] * stride];
            if (position >= KeptPositions)
            {
                (scratch[i], scratch[pairs + i]) = Compute(position, i);
                continue;
            }

            (int number, int inside) = Math.DivRem(position, ChunkPositions);
            ReadOnlySpan<float> row = Chunk(number).AsSpan(inside * Dim, Dim);
            (scratch[i], scratch[pairs + i]) = (row[i], row[pairs + i]);
        }

        return scratch[..Dim];
    }

    /// <summary>Rotates the heads of one token, in place.</summary>
    /// <param name="heads">[H, D].</param>
    /// <param name="headDim">D.</param>
    /// <param name="row">What <see cref="Row(int, Span{float})"/> gives for the token's position.</param>
    internal void Turn(Span<float> heads, int headDim, ReadOnlySpan<float> row)
    {
        for (int first = 0; first < heads.Length; first += headDim)
            Turn(heads.Slice(first, Dim), row);
    }

    private void Turn(Span<float> head, ReadOnlySpan<float> row)
    {
        int pairs = _frequencies.Length;
        ReadOnlySpan<float> cosines = row[..pairs], sines = row[pairs..];
        if (Pairing == RotaryPairing.Interleaved)
        {
            for (int i = 0; i < pairs; i++)
            {
                float x = head[2 * i], y = head[2 * i + 1];
                head[2 * i] = x * cosines[i] - y * sines[i];
                head[2 * i + 1] = x * sines[i] + y * cosines[i];
            }

            return;
        }

        Span<float> first = head[..pairs], second = head.Slice(pairs, pairs);
        int done = 0;
        for (; done + Vector128<float>.Count <= pairs; done += Vector128<float>.Count)
        {
            Vector128<float> x = Vector128.Create<float>(first[done..]), y = Vector128.Create<float>(second[done..]);
            Vector128<float> cosine = Vector128.Create(cosines[done..]), sine = Vector128.Create(sines[done..]);
            (x * cosine - y * sine).CopyTo(first[done..]);
            (x * sine + y * cosine).CopyTo(second[done..]);
        }

        for (; done < pairs; done++)
        {
            float x = first[done], y = second[done];
            first[done] = x * cosines[done] - y * sines[done];
            second[done] = x * sines[done] + y * cosines[done];
        }
    }

    private int Tokens(ReadOnlySpan<float> heads, int headCount, int headDim)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(headCount, 1);
        if (headDim < Dim)
            throw new ArgumentOutOfRangeException(nameof(headDim), headDim, $"The embedding turns {Dim} elements of a head, which must have as many.");
        long tokenFloats = (long)headCount * headDim;
        if (heads.Length % tokenFloats != 0)
            throw new ArgumentException($"Has {heads.Length} elements, not a multiple of heads {headCount} × dimension {headDim}.", nameof(heads));
        return (int)(heads.Length / tokenFloats);
    }

    private float[] Chunk(int number)
    {
        // Threads that compute one at the same time compute the same bits, so it does not matter which is kept.
        ref float[]? slot = ref _chunks[number];
        if (Volatile.Read(ref slot) is { } known)
            return known;
        var chunk = new float[ChunkPositions * Dim];
        for (int i = 0; i < ChunkPositions; i++)
            Compute(number * ChunkPositions + i, chunk.AsSpan(i * Dim, Dim));
        Volatile.Write(ref slot, chunk);
        return chunk;
    }

    private void Compute(int position, Span<float> row)
    {
        int pairs = _frequencies.Length;
        for (int i = 0; i < pairs; i++)
            (row[i], row[pairs + i]) = Compute(position, i);
    }

    private (float Cosine, float Sine) Compute(int position, int pair)
    {
        (double sine, double cosine) = Math.SinCos(position * _frequencies[pair]);
        return ((float)(cosine * AttentionFactor), (float)(sine * AttentionFactor));
    }

    private static double[] Frequencies(int dim, double frequencyBase)
    {
        if (dim < 2 || dim % 2 != 0 || dim > ScaledDotProductAttention.MaxDim)
            throw new ArgumentOutOfRangeException(nameof(dim), dim, $"The turned elements of a head must be even in number, 2 to {ScaledDotProductAttention.MaxDim}.");
        if (!(frequencyBase > 0 && double.IsFinite(frequencyBase)))
            throw new ArgumentOutOfRangeException(nameof(frequencyBase), frequencyBase, "The base must be positive and finite.");
        var frequencies = new double[dim / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(frequencyBase, -2.0 * i / dim);
        return frequencies;
    }
}
