using System;

namespace FastAttn;

/// <summary>
/// Projected keys and values of a <see cref="MultiHeadAttention"/> layer that are kept between calls: of the tokens before the
/// next ones (<see cref="MultiHeadAttention.CreateCache"/>), or of an encoder's memory
/// (<see cref="MultiHeadAttention.ProjectMemory"/>). Calls that change it (an append, <see cref="Truncate"/>, <see cref="Clear"/>) must
/// not overlap with any other that takes it; any number of <see cref="MultiHeadAttention.Attend"/> may run at once.
/// </summary>
public sealed class KeyValueCache
{
    private readonly int[] _lengths;
    private readonly int[] _starts;
    private readonly int[] _ends;

    internal KeyValueCache(int batch, int keyValueHeads, int headDim, int valueDim, int capacity, bool canGrow)
    {
        Batch = batch;
        KeyValueHeads = keyValueHeads;
        HeadDim = headDim;
        ValueDim = valueDim;
        Capacity = capacity;
        CanGrow = canGrow;
        _lengths = new int[batch];
        _starts = new int[batch];
        _ends = new int[batch];
        Keys = Allocate(headDim, capacity);
        Values = Allocate(valueDim, capacity);
    }

    /// <summary>Sequences.</summary>
    public int Batch { get; }

    /// <summary>Key-value heads.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Head dimension d_k.</summary>
    public int HeadDim { get; }

    /// <summary>Value dimension d_v.</summary>
    public int ValueDim { get; }

    /// <summary>Tokens of each sequence that there is room for.</summary>
    public int Capacity { get; private set; }

    /// <summary>Whether a cache that is full becomes larger, which allocates; else appending to it is an error.</summary>
    public bool CanGrow { get; }

    /// <summary>Tokens of each sequence.</summary>
    public ReadOnlySpan<int> Lengths => _lengths;

    /// <summary>[B, H_kv, capacity, d_k].</summary>
    internal float[] Keys { get; private set; }

    /// <summary>[B, H_kv, capacity, d_v].</summary>
    internal float[] Values { get; private set; }

    internal AttentionStrides KeyStrides => Strides(HeadDim);

    internal AttentionStrides ValueStrides => Strides(ValueDim);

    /// <summary>The lengths before the append that is under way, to which causal masks and positions refer.</summary>
    internal ReadOnlySpan<int> Starts => _starts;

    /// <summary>The lengths after it.</summary>
    internal ReadOnlySpan<int> Ends => _ends;

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => Truncate(0);

    /// <summary>Forgets the last tokens of sequences that have more than <paramref name="length"/>.</summary>
    /// <param name="length">The most tokens that a sequence may keep, at least 0.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        foreach (ref int own in _lengths.AsSpan())
            own = Math.Min(own, length);
    }

    /// <summary>The longest sequence once <paramref name="lengths"/> tokens, or <paramref name="length"/> where empty, are appended to each.</summary>
    internal long LengthAfter(int length, ReadOnlySpan<int> lengths)
    {
        long longest = 0;
        for (int b = 0; b < Batch; b++)
            longest = Math.Max(longest, (long)_lengths[b] + (lengths.IsEmpty ? length : lengths[b]));
        return longest;
    }

    /// <summary>Makes room for an append and remembers where it starts and ends.</summary>
    internal void Begin(int length, ReadOnlySpan<int> lengths)
    {
        for (int b = 0; b < Batch; b++)
        {
            _starts[b] = _lengths[b];
            _ends[b] = _lengths[b] + (lengths.IsEmpty ? length : lengths[b]);
        }

        int longest = Longest(_ends);
        if (longest <= Capacity)
            return;
        int capacity = (int)Math.Max(longest, Math.Min(2L * Capacity, Most(Batch, KeyValueHeads, HeadDim, ValueDim)));
        (Keys, Values, Capacity) = (Grown(Keys, HeadDim, capacity), Grown(Values, ValueDim, capacity), capacity);
    }

    /// <summary>Counts the tokens of the append, now that they are there.</summary>
    internal void Commit() => _ends.CopyTo(_lengths, 0);

    /// <summary>The longest of some lengths.</summary>
    internal static int Longest(ReadOnlySpan<int> lengths)
    {
        int longest = 0;
        foreach (int length in lengths)
            longest = Math.Max(longest, length);
        return longest;
    }

    /// <summary>The largest capacity whose keys and values a span can hold.</summary>
    internal static long Most(int batch, int keyValueHeads, int headDim, int valueDim) =>
        Array.MaxLength / Math.Max(1, (long)batch * keyValueHeads * Math.Max(headDim, valueDim));

    private AttentionStrides Strides(int dim) => new((long)KeyValueHeads * Capacity * dim, (long)Capacity * dim, dim);

    /// <summary>The capacity is at most <see cref="Most"/>.</summary>
    private float[] Allocate(int dim, int capacity) => new float[(long)Batch * KeyValueHeads * capacity * dim];

    private float[] Grown(float[] old, int dim, int capacity)
    {
        float[] grown = Allocate(dim, capacity);
        for (int row = 0; row < Batch * KeyValueHeads; row++)
            old.AsSpan(row * Capacity * dim, Capacity * dim).CopyTo(grown.AsSpan(row * capacity * dim));
        return grown;
    }
}
