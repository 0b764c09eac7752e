using System;
using System.Runtime.Intrinsics;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Rotary position embedding (RoFormer, arXiv 2104.09864; ONNX RotaryEmbedding-23): at position <c>p</c> the pair
/// <c>(x, y)</c> number <c>i</c> of a head becomes <c>(x·cos a − y·sin a, x·sin a + y·cos a)</c> with <c>a = p·f_i</c> and
/// <c>f_i = base^(−2i/n)</c>. Elements past the first <c>n</c> of a head stay as they are.
/// </summary>
/// <remarks>
/// Cosines and sines are computed in double, once for each position, and kept: a table of <c>n</c> floats a position, as long as
/// the largest position asked for. Instances may be used by any number of threads and layers at once.
/// </remarks>
public sealed class RotaryEmbedding
{
    private readonly double[] _frequencies;
    private readonly Gate _gate = new();

    // For each position n/2 cosines, then n/2 sines. Replaced by a longer one, never changed.
    private float[] _table = [];

    /// <param name="dimensions">n: how many elements of a head are turned; even, at least 2.</param>
    /// <param name="pairing">Which elements make a pair.</param>
    /// <param name="frequencyBase">The base of the frequencies, positive and finite: 10000 in the paper, 500000 in Llama 3.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is outside its range.</exception>
    public RotaryEmbedding(int dimensions, RotaryPairing pairing = RotaryPairing.HalfSplit, double frequencyBase = 10000)
        : this(Frequencies(dimensions, frequencyBase), pairing)
    {
    }

    /// <summary>An embedding with frequencies of its own, as scaled ones for long contexts are.</summary>
    /// <param name="frequencies">f_i in radians a position, one for each pair; finite.</param>
    /// <param name="pairing">Which elements make a pair.</param>
    /// <exception cref="ArgumentException">There are no frequencies, or one is not finite.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The pairing is not defined.</exception>
    public RotaryEmbedding(ReadOnlySpan<double> frequencies, RotaryPairing pairing = RotaryPairing.HalfSplit)
    {
        if (frequencies.IsEmpty || frequencies.Length > ScaledDotProductAttention.MaxDimension / 2)
            throw new ArgumentException($"Has {frequencies.Length} elements; expected one for each pair of a head, 1 to {ScaledDotProductAttention.MaxDimension / 2}.", nameof(frequencies));
        foreach (double frequency in frequencies)
        {
            if (!double.IsFinite(frequency))
                throw new ArgumentException($"Frequencies must be finite; one is {frequency}.", nameof(frequencies));
        }

        if (pairing is not (RotaryPairing.HalfSplit or RotaryPairing.Interleaved))
            throw new ArgumentOutOfRangeException(nameof(pairing), pairing, "The pairing is not defined.");
        _frequencies = frequencies.ToArray();
        Pairing = pairing;
    }

    /// <summary>n: how many elements of a head are turned.</summary>
    public int Dimensions => 2 * _frequencies.Length;

    /// <summary>Which elements make a pair.</summary>
    public RotaryPairing Pairing { get; }

    /// <summary>Turns the heads of consecutive tokens, in place.</summary>
    /// <param name="heads">[tokens, H, D].</param>
    /// <param name="headCount">H, at least 1.</param>
    /// <param name="headDim">D, at least <see cref="Dimensions"/>.</param>
    /// <param name="position">The position of the first token, at least 0.</param>
    /// <exception cref="ArgumentException">The length is not a multiple of H·D, or a number is outside its range; nothing has been written.</exception>
    public void Apply(Span<float> heads, int headCount, int headDim, int position)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(headCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(headDim, Dimensions);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        long tokenFloats = (long)headCount * headDim;
        if (heads.Length % tokenFloats != 0)
            throw new ArgumentException($"Has {heads.Length} elements, not a multiple of heads {headCount} × dimension {headDim}.", nameof(heads));
        int tokens = (int)(heads.Length / tokenFloats);
        Reserve((long)position + tokens, nameof(position));
        for (int i = 0; i < tokens * headCount; i++)
            Turn(heads.Slice(i * headDim, headDim), position + i / headCount);
    }

    /// <summary>Positions of which a table can have entries.</summary>
    internal long MaxPositions => Array.MaxLength / Dimensions;

    /// <summary>Computes the table for positions below a count.</summary>
    internal void Reserve(long positions, string parameter)
    {
        long most = MaxPositions;
        if (positions > most)
            throw new ArgumentOutOfRangeException(parameter, positions, $"Positions must be below {most}: a table holds no more.");
        if (positions * Dimensions <= Volatile.Read(ref _table).Length)
            return;
        _gate.Enter();
        try
        {
            if (positions * Dimensions <= _table.Length)
                return;
            // Doubled, so that a sequence that grows token by token computes each entry a few times at most.
            int known = _table.Length / Dimensions, count = (int)Math.Max(positions, Math.Min(2L * known, most));
            var table = new float[count * Dimensions];
            _table.CopyTo(table, 0);
            for (int position = known; position < count; position++)
            {
                Span<float> cosines = table.AsSpan(position * Dimensions, _frequencies.Length), sines = table.AsSpan(position * Dimensions + _frequencies.Length, _frequencies.Length);
                for (int i = 0; i < _frequencies.Length; i++)
                {
                    (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
                    (sines[i], cosines[i]) = ((float)sine, (float)cosine);
                }
            }

            Volatile.Write(ref _table, table);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Turns one head, in place. The position was reserved.</summary>
    internal void Turn(Span<float> head, int position)
    {
        int pairs = _frequencies.Length;
        ReadOnlySpan<float> table = Volatile.Read(ref _table).AsSpan(position * Dimensions, Dimensions);
        ReadOnlySpan<float> cosines = table[..pairs], sines = table[pairs..];
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

    private static double[] Frequencies(int dimensions, double frequencyBase)
    {
        if (dimensions < 2 || dimensions % 2 != 0 || dimensions > ScaledDotProductAttention.MaxDimension)
            throw new ArgumentOutOfRangeException(nameof(dimensions), dimensions, $"The turned dimensions must be even, 2 to {ScaledDotProductAttention.MaxDimension}.");
        if (!(frequencyBase > 0 && double.IsFinite(frequencyBase)))
            throw new ArgumentOutOfRangeException(nameof(frequencyBase), frequencyBase, "The base must be positive and finite.");
        var frequencies = new double[dimensions / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(frequencyBase, -2.0 * i / dimensions);
        return frequencies;
    }
}
