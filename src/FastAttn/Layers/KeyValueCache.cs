using System;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Projected keys and values of a <see cref="MultiHeadAttention"/> layer that are kept between calls: of the tokens before the
/// next ones (<see cref="MultiHeadAttention.CreateCache"/>), or of an encoder's memory
/// (<see cref="MultiHeadAttention.ProjectMemory"/>). Calls that change it (an append, <see cref="Truncate(int)"/>, <see cref="Clear"/>,
/// <see cref="Retain"/>, <see cref="Reorder"/>, a copy to it) must not overlap with any other that takes it; any number of <see cref="MultiHeadAttention.Attend"/>,
/// and of copies from it, may run at once.
/// </summary>
/// <remarks>
/// What moves between sequences are their tokens, which are not computed again: a prompt can be computed in one sequence and copied to others,
/// and the sequences of a beam search follow their beams. Keys have been turned by their positions when they were appended.
/// </remarks>
public sealed class KeyValueCache
{
    private readonly int[] _lengths;
    private readonly int[] _starts;
    private readonly int[] _ends;

    // During a reordering: how many sequences still read this one; −1 when it is done.
    private readonly int[] _readers;

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
        _readers = new int[batch];
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

    /// <summary>Where rows of keys or values stand, which have a dimension.</summary>
    internal AttentionStrides Strides(int dim) => new((long)KeyValueHeads * Capacity * dim, (long)Capacity * dim, dim);

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

    /// <summary>Forgets the last tokens of each sequence that has more than its length.</summary>
    /// <param name="lengths">[B]: the most tokens that each sequence may keep, at least 0.</param>
    /// <exception cref="ArgumentException">The lengths are not as many as sequences, or one is negative; nothing has changed.</exception>
    public void Truncate(ReadOnlySpan<int> lengths)
    {
        if (lengths.Length != Batch)
            throw new ArgumentException($"Has {lengths.Length} elements; batch {Batch} needs as many.", nameof(lengths));
        foreach (int length in lengths)
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(lengths));
        for (int b = 0; b < Batch; b++)
            _lengths[b] = Math.Min(_lengths[b], lengths[b]);
    }

    /// <summary>Keeps some of the last tokens of a sequence and forgets the others, as of a tree of drafts those that were accepted.</summary>
    /// <param name="sequence">The sequence, 0 to B − 1.</param>
    /// <param name="start">The tokens before this one stay; 0 to the sequence's length.</param>
    /// <param name="tokens">The indices of those that stay of the others, ascending, from <paramref name="start"/> to below the sequence's length.</param>
    /// <remarks>A token's index becomes smaller; its key stays turned by the position that it was appended with.</remarks>
    /// <exception cref="ArgumentException">A number is outside its range, or the tokens do not ascend; nothing has changed.</exception>
    public void Retain(int sequence, int start, ReadOnlySpan<int> tokens)
    {
        if (sequence < 0 || sequence >= Batch)
            throw new ArgumentOutOfRangeException(nameof(sequence), sequence, $"Sequences are 0 to {Batch - 1}.");
        int length = _lengths[sequence], min = start;
        if (start < 0 || start > length)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Must be 0 to the sequence's length {length}.");
        foreach (int token in tokens)
        {
            if (token < min || token >= length)
                throw new ArgumentOutOfRangeException(nameof(tokens), token, $"Tokens must ascend and be {start} to {length - 1}.");
            min = token + 1;
        }

        // Ascending, so that no token is overwritten before it has moved.
        for (int head = 0; head < KeyValueHeads; head++)
        {
            Span<float> keys = Rows(Keys, HeadDim, sequence, head, length), values = Rows(Values, ValueDim, sequence, head, length);
            for (int i = 0; i < tokens.Length; i++)
            {
                keys.Slice(tokens[i] * HeadDim, HeadDim).CopyTo(keys[((start + i) * HeadDim)..]);
                values.Slice(tokens[i] * ValueDim, ValueDim).CopyTo(values[((start + i) * ValueDim)..]);
            }
        }

        _lengths[sequence] = start + tokens.Length;
    }

    /// <summary>
    /// Gives each sequence the tokens that another, or itself, had before: sequence <c>b</c> becomes what <c>sources[b]</c> was. A source may
    /// stand for several sequences or for none, as in a beam search (Hugging Face's <c>reorder_cache(beam_idx)</c>).
    /// </summary>
    /// <param name="sources">[B]: for each sequence its source, 0 to B − 1.</param>
    /// <remarks>In place: each sequence that has another source is copied at most once, or swapped where sources go round in a circle.</remarks>
    /// <exception cref="ArgumentException">The sources are not as many as sequences, or one is no sequence; nothing has changed.</exception>
    public void Reorder(ReadOnlySpan<int> sources)
    {
        if (sources.Overlaps(_lengths))
            throw new ArgumentException("Overlaps the cache's own lengths, which are reordered too.", nameof(sources));
        if (sources.Length != Batch)
            throw new ArgumentException($"Has {sources.Length} elements; batch {Batch} needs as many.", nameof(sources));
        foreach (int source in sources)
        {
            if (source < 0 || source >= Batch)
                throw new ArgumentOutOfRangeException(nameof(sources), source, $"Sources must be 0 to {Batch - 1}.");
        }

        Array.Clear(_readers);
        foreach (int source in sources)
            _readers[source]++;

        // A sequence that no other reads any more is overwritten, which may leave its source in the same state.
        for (int first = 0; first < Batch; first++)
        {
            for (int b = first; _readers[b] == 0; b = sources[b])
            {
                Copy(sources[b], this, b);
                _readers[b] = -1;
                _readers[sources[b]]--;
            }
        }

        // What is left are circles: each sequence has one reader. The last of a circle gets what the first had from swap to swap.
        for (int first = 0; first < Batch; first++)
        {
            for (int b = first; _readers[b] > 0; b = sources[b])
            {
                _readers[b] = -1;
                if (sources[b] != first)
                    Swap(b, sources[b]);
            }
        }
    }

    /// <summary>Copies the tokens of a sequence over those of another, as a prompt that both begin with.</summary>
    /// <param name="from">The sequence that is copied, 0 to B − 1.</param>
    /// <param name="to">The sequence that is overwritten, 0 to B − 1; nothing happens where it is <paramref name="from"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is no sequence.</exception>
    public void CopySequence(int from, int to) => CopySequence(from, this, to);

    /// <summary>As <see cref="CopySequence(int, int)"/>, to another cache of the same layer.</summary>
    /// <param name="from">The sequence of this cache that is copied, 0 to B − 1.</param>
    /// <param name="destination">The cache that it is copied to, with as many heads of the same dimensions.</param>
    /// <param name="to">The sequence of that cache which is overwritten, 0 to its B − 1.</param>
    /// <remarks>A destination whose capacity is too small grows, as it does when tokens are appended.</remarks>
    /// <exception cref="ArgumentException">A number is no sequence, or the destination's heads differ; nothing has changed.</exception>
    /// <exception cref="InvalidOperationException">The destination has no room and cannot grow; nothing has changed.</exception>
    public void CopySequence(int from, KeyValueCache destination, int to)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (from < 0 || from >= Batch)
            throw new ArgumentOutOfRangeException(nameof(from), from, $"Sequences are 0 to {Batch - 1}.");
        if (to < 0 || to >= destination.Batch)
            throw new ArgumentOutOfRangeException(nameof(to), to, $"Sequences are 0 to {destination.Batch - 1}.");
        if (destination.KeyValueHeads != KeyValueHeads || destination.HeadDim != HeadDim || destination.ValueDim != ValueDim)
        {
            throw new ArgumentException(
                $"Is of {destination.KeyValueHeads} heads of dimensions {destination.HeadDim} and {destination.ValueDim}; the source has {KeyValueHeads} of {HeadDim} and {ValueDim}.", nameof(destination));
        }

        destination.CheckRoom(_lengths[from]);
        destination.MakeRoom(_lengths[from]);
        Copy(from, destination, to);
    }

    /// <summary>Throws where a sequence of a length does not fit, not even in a larger cache.</summary>
    /// <exception cref="InvalidOperationException">It does not.</exception>
    internal void CheckRoom(long length)
    {
        if (length <= Capacity)
            return;
        if (!CanGrow)
            throw new InvalidOperationException($"The cache is full: it has room for {Capacity} tokens of a sequence and would hold {length}.");
        long max = MaxCapacity(Batch, KeyValueHeads, HeadDim, ValueDim);
        if (length > max)
            throw new InvalidOperationException($"The cache would hold {length} tokens of a sequence, more than the {max} that a span can.");
    }

    /// <summary>The longest sequence once some tokens are appended.</summary>
    internal long LengthAfter(in LayerTokens tokens)
    {
        long longest = 0;
        for (int b = 0; b < Batch; b++)
            longest = Math.Max(longest, (long)_lengths[b] + tokens.LengthOf(b));
        return longest;
    }

    /// <summary>Makes room for an append and remembers where it starts and ends.</summary>
    internal void Begin(in LayerTokens tokens)
    {
        for (int b = 0; b < Batch; b++)
        {
            _starts[b] = _lengths[b];
            _ends[b] = _lengths[b] + tokens.LengthOf(b);
        }

        MakeRoom(Longest(_ends));
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
    internal static long MaxCapacity(int batch, int keyValueHeads, int headDim, int valueDim) =>
        Array.MaxLength / Math.Max(1, (long)batch * keyValueHeads * Math.Max(headDim, valueDim));

    private static void Swap(Span<float> one, Span<float> other)
    {
        Span<float> buffer = stackalloc float[256];
        for (int first = 0; first < one.Length; first += buffer.Length)
        {
            int count = Math.Min(buffer.Length, one.Length - first);
            one.Slice(first, count).CopyTo(buffer);
            other.Slice(first, count).CopyTo(one[first..]);
            buffer[..count].CopyTo(other[first..]);
        }
    }

    private void MakeRoom(int length)
    {
        if (length <= Capacity)
            return;
        int capacity = (int)Math.Max(length, Math.Min(2L * Capacity, MaxCapacity(Batch, KeyValueHeads, HeadDim, ValueDim)));
        (Keys, Values, Capacity) = (Grown(Keys, HeadDim, capacity), Grown(Values, ValueDim, capacity), capacity);
    }

    /// <summary>Copies a sequence that the destination has room for.</summary>
    private void Copy(int from, KeyValueCache destination, int to)
    {
        int length = _lengths[from];
        for (int head = 0; head < KeyValueHeads; head++)
        {
            Rows(Keys, HeadDim, from, head, length).CopyTo(destination.Rows(destination.Keys, HeadDim, to, head, length));
            Rows(Values, ValueDim, from, head, length).CopyTo(destination.Rows(destination.Values, ValueDim, to, head, length));
        }

        destination._lengths[to] = length;
    }

    private void Swap(int one, int other)
    {
        int length = Math.Max(_lengths[one], _lengths[other]);
        for (int head = 0; head < KeyValueHeads; head++)
        {
            Swap(Rows(Keys, HeadDim, one, head, length), Rows(Keys, HeadDim, other, head, length));
            Swap(Rows(Values, ValueDim, one, head, length), Rows(Values, ValueDim, other, head, length));
        }

        (_lengths[one], _lengths[other]) = (_lengths[other], _lengths[one]);
    }

    private Span<float> Rows(float[] memory, int dim, int sequence, int head, int length) =>
        memory.AsSpan((sequence * KeyValueHeads + head) * Capacity * dim, length * dim);

    private float[] Allocate(int dim, int capacity) => new float[(long)Batch * KeyValueHeads * capacity * dim];

    private float[] Grown(float[] old, int dim, int capacity)
    {
        float[] grown = Allocate(dim, capacity);
        for (int row = 0; row < Batch * KeyValueHeads; row++)
            old.AsSpan(row * Capacity * dim, Capacity * dim).CopyTo(grown.AsSpan(row * capacity * dim));
        return grown;
    }
}
