using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>
/// Keys and values of a batch of sequences that are kept between calls, each sequence in one piece: for a layer those of earlier tokens
/// (<see cref="MultiHeadAttention.CreateCache"/>) or of an encoder's memory (<see cref="MultiHeadAttention.ProjectMemory"/>), or for kernels
/// (<see cref="Append"/>, <see cref="AttentionCache.Attend(AttentionInput, AttentionOutput, int, int, AttentionMask, in AttentionOptions, AttentionLayout, AttentionExecution)"/>).
/// Calls that change it (an append, <see cref="Truncate(int)"/>, <see cref="Clear"/>,
/// <see cref="Retain"/>, <see cref="Reorder"/>, a copy to it) must not overlap with any other call that uses it; any number of attentions over it,
/// and of copies from it, may run concurrently.
/// </summary>
/// <remarks>
/// <para>
/// Tokens move between sequences without being computed again: a prompt can be computed in one sequence and copied to others,
/// and the sequences of a beam search follow their beams. Keys are stored as rotated when they were appended.
/// </para>
/// <para>
/// Keys and values each have their own element type. Numbers are rounded to it when they are appended, to nearest, ties to even, as by <see cref="KeyValueQuantizer"/>;
/// <see cref="AttentionElement.Int8"/> has a scale for each token and head, or one for each head and channel, which is given with the cache and clips larger numbers.
/// </para>
/// </remarks>
public sealed partial class KeyValueCache : AttentionCache
{
    private readonly int[] _lengths;
    private readonly int[] _starts;
    private readonly int[] _ends;

    // Replaced by larger ones when the cache grows.
    private SequenceRows _keys;
    private SequenceRows _values;

    // What an attention sees of each sequence: the lengths or, during an append, the lengths after it.
    private int[] _seen;

    /// <summary>An empty cache.</summary>
    /// <param name="batch">Sequences B, at least 0.</param>
    /// <param name="capacity">Tokens of each sequence for which there is room, at least 0.</param>
    /// <param name="keyValueHeads">Key-value heads H_kv, at least 1.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>; <paramref name="headDim"/> if null.</param>
    /// <param name="canGrow">Whether a full cache grows, which allocates; otherwise appending to it is an error.</param>
    /// <param name="keyElement">
    /// The element type of keys. <see cref="AttentionElement.Int8Group32"/>, <see cref="AttentionElement.Int4Group32"/> and <see cref="AttentionElement.Int4"/> need a dimension that is a multiple of 32.
    /// </param>
    /// <param name="valueElement">The element type of values, likewise.</param>
    /// <param name="keyScales">
    /// [H_kv, d_k], copied: the scale of each head and channel of keys that are <see cref="AttentionElement.Int8"/>, finite and not negative. Empty if each token and
    /// head has its own scale, and for other types.
    /// </param>
    /// <param name="valueScales">[H_kv, d_v], likewise for values.</param>
    /// <exception cref="ArgumentException">
    /// A number is outside its range, a dimension is not a multiple of 32 where it must be, scales do not fit, or the cache would be larger than a <see cref="Span{T}"/> can be.
    /// </exception>
    public KeyValueCache(
        int batch,
        int capacity,
        int keyValueHeads,
        int headDim,
        int? valueDim = null,
        bool canGrow = true,
        AttentionElement keyElement = AttentionElement.Float32,
        AttentionElement valueElement = AttentionElement.Float32,
        ReadOnlySpan<float> keyScales = default,
        ReadOnlySpan<float> valueScales = default)
        : base(keyValueHeads, headDim, valueDim ?? headDim, keyElement, valueElement)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        ArgumentOutOfRangeException.ThrowIfLessThan(keyValueHeads, 1);
        CachedRows.CheckDim(headDim, nameof(headDim));
        CachedRows.CheckDim(valueDim ?? headDim, nameof(valueDim));
        CachedRows.CheckElement(keyElement, headDim, nameof(keyElement), nameof(headDim));
        CachedRows.CheckElement(valueElement, valueDim ?? headDim, nameof(valueElement), valueDim is null ? nameof(headDim) : nameof(valueDim));
        CachedRows.CheckScales(keyScales, keyElement, keyValueHeads, headDim, nameof(keyScales));
        CachedRows.CheckScales(valueScales, valueElement, keyValueHeads, valueDim ?? headDim, nameof(valueScales));
        (Batch, Capacity, CanGrow) = (batch, capacity, canGrow);
        if (capacity > MaxCapacity)
            throw new ArgumentOutOfRangeException(nameof(capacity), capacity, $"A cache of batch {batch} has room for {MaxCapacity} tokens at most.");
        _lengths = new int[batch];
        _seen = _lengths;
        _starts = new int[batch];
        _ends = new int[batch];
        int room = RoomFor(capacity);
        _keys = new(KeyElement, HeadDim, batch, KeyValueHeads, room, keyScales);
        _values = new(ValueElement, ValueDim, batch, KeyValueHeads, room, valueScales);
    }

    /// <inheritdoc/>
    public override int Batch { get; }

    /// <summary>Tokens of each sequence for which there is room.</summary>
    public int Capacity { get; private set; }

    /// <summary>Whether a full cache grows, which allocates; otherwise appending to it is an error.</summary>
    public bool CanGrow { get; }

    /// <summary>Tokens of each sequence.</summary>
    public ReadOnlySpan<int> Lengths => _lengths;

    /// <inheritdoc/>
    public override int MaxLength => Longest(_lengths);

    /// <summary>
    /// All keys, [B, H_kv, capacity, d_k], at their strides: the key input of an attention whose <see cref="AttentionOptions.KeyLengths"/> are <see cref="Lengths"/>. The contents
    /// after the end of a sequence are meaningless. Valid until the cache changes.
    /// </summary>
    public AttentionInput Keys => _keys.Input;

    /// <summary>All values, [B, H_kv, capacity, d_v], likewise.</summary>
    public AttentionInput Values => _values.Input;

    /// <inheritdoc/>
    internal override ReadOnlySpan<int> Starts => _starts;

    /// <inheritdoc/>
    internal override ReadOnlySpan<int> Positions => _starts;

    /// <summary>The largest capacity whose keys and values a <see cref="Span{T}"/> can hold.</summary>
    private long MaxCapacity
    {
        get
        {
            long sequences = Math.Max(1, (long)Batch * KeyValueHeads);
            long capacity = Math.Min(CachedRows.MaxRows(KeyElement, HeadDim), CachedRows.MaxRows(ValueElement, ValueDim)) / sequences;
            return HasGroups ? capacity / OpenGroup.Tokens * OpenGroup.Tokens : capacity;
        }
    }

    /// <summary>Whether tokens are rounded together, so that each sequence has memory for whole groups.</summary>
    private bool HasGroups => KeyElement == AttentionElement.Int4 || ValueElement == AttentionElement.Int4;

    /// <summary>Appends tokens to each sequence, for kernels; a layer appends by itself.</summary>
    /// <param name="keys">K: [B, L, H_kv, d_k].</param>
    /// <param name="values">V: [B, L, H_kv, d_v].</param>
    /// <param name="length">L: tokens of each sequence, at least 0.</param>
    /// <param name="lengths">[B]: how many of its tokens each sequence has, 0 to L, as in prompts of different lengths; the others are not appended. All if empty.</param>
    /// <param name="rotary">Rotates the keys by their positions, from the sequence's length on, before they are rounded; the given keys are not changed. Null to store them as they are.</param>
    /// <remarks>
    /// Buffers may be longer than needed. Floats, halves and bfloat16 keep NaN and ±∞, also numbers that rounding makes infinite. Integers refuse numbers that are not finite, also
    /// if the rotation made them so.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A length does not fit, the embedding has more dimensions than a key, or a number that becomes an integer is not finite, or has a group's scale or minimum larger than all finite
    /// halves; no sequence has changed.
    /// </exception>
    /// <exception cref="InvalidOperationException">The cache is full and cannot grow; nothing has changed.</exception>
    public void Append(ReadOnlySpan<float> keys, ReadOnlySpan<float> values, int length, ReadOnlySpan<int> lengths = default, RotaryEmbedding? rotary = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        CheckBuffer(keys.Length, Batch, length, HeadDim, nameof(keys));
        CheckBuffer(values.Length, Batch, length, ValueDim, nameof(values));
        if (!lengths.IsEmpty && lengths.Length != Batch)
            throw new ArgumentException($"Has {lengths.Length} elements; expected {Batch}, one for each sequence.", nameof(lengths));
        foreach (int own in lengths)
        {
            if (own < 0 || own > length)
                throw new ArgumentOutOfRangeException(nameof(lengths), own, $"Lengths must be 0 to the length {length}.");
        }

        if (rotary?.Dim > HeadDim)
            throw new ArgumentException($"Turns {rotary.Dim} elements of a head; keys have {HeadDim}.", nameof(rotary));
        BatchTokens tokens = new() { Batch = Batch, Length = length, Lengths = lengths };
        Begin(tokens);
        bool isDone = false;
        try
        {
            Write(keys, values, tokens, rotary);
            ThrowIfRefused(nameof(keys), nameof(values));
            isDone = true;
        }
        finally
        {
            if (isDone)
                Commit();
            else
                Abandon();
        }
    }

    /// <summary>Copies tokens of a sequence, as floats of the stored numbers.</summary>
    /// <param name="sequence">The sequence, 0 to B − 1.</param>
    /// <param name="start">The index of the first token, 0 to the sequence's length.</param>
    /// <param name="tokens">How many, at least 0; at most the tokens from the first on.</param>
    /// <param name="keys">Written: [tokens, H_kv, d_k], as they were rotated.</param>
    /// <param name="values">Written: [tokens, H_kv, d_v].</param>
    /// <exception cref="ArgumentException">A number is outside its range, a buffer is too short, or both overlap; nothing has been written.</exception>
    public void CopyTo(int sequence, int start, int tokens, Span<float> keys, Span<float> values)
    {
        CheckSequence(sequence, nameof(sequence));
        if (start < 0 || start > _lengths[sequence])
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Must be 0 to the sequence's length {_lengths[sequence]}.");
        if (tokens < 0 || tokens > _lengths[sequence] - start)
            throw new ArgumentOutOfRangeException(nameof(tokens), tokens, $"There are {_lengths[sequence] - start} tokens from {start} on.");
        CheckBuffer(keys.Length, 1, tokens, HeadDim, nameof(keys));
        CheckBuffer(values.Length, 1, tokens, ValueDim, nameof(values));
        keys = keys[..(tokens * KeyValueHeads * HeadDim)];
        values = values[..(tokens * KeyValueHeads * ValueDim)];
        if (keys.Overlaps(values))
            throw new ArgumentException("Overlaps keys.", nameof(values));
        _keys.Read(sequence, start, tokens, keys);
        _values.Read(sequence, start, tokens, values);
    }

    /// <summary>Removes all tokens.</summary>
    public void Clear() => Truncate(0);

    /// <summary>Removes the last tokens of sequences that have more than <paramref name="length"/>.</summary>
    /// <param name="length">The most tokens that a sequence may keep, at least 0.</param>
    /// <remarks>
    /// With <see cref="AttentionElement.Int4"/>, a sequence of n tokens that is shortened once, to no less than <c>32·(⌊n / 32⌋ − 1)</c>, goes on as if the last tokens had never been there. If it is shortened further, the tokens of
    /// the span of 32 in which it then ends are rounded a second time when tokens are appended (remarks of <see cref="AttentionCache"/>).
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        for (int b = 0; b < Batch; b++)
            Shorten(b, length);
    }

    /// <summary>Removes the last tokens of each sequence that has more than its length.</summary>
    /// <param name="lengths">[B]: the most tokens that each sequence may keep, at least 0.</param>
    /// <inheritdoc cref="Truncate(int)" path="/remarks"/>
    /// <exception cref="ArgumentException">There are not as many lengths as sequences, or one is negative; nothing has changed.</exception>
    public void Truncate(ReadOnlySpan<int> lengths)
    {
        if (lengths.Length != Batch)
            throw new ArgumentException($"Has {lengths.Length} elements; expected {Batch}, one for each sequence.", nameof(lengths));
        foreach (int length in lengths)
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(lengths));
        for (int b = 0; b < Batch; b++)
            Shorten(b, lengths[b]);
    }

    /// <summary>Keeps some of the last tokens of a sequence and removes the others: the accepted ones of a tree of drafts, for instance.</summary>
    /// <param name="sequence">The sequence, 0 to B − 1.</param>
    /// <param name="start">The tokens before this one stay; 0 to the sequence's length.</param>
    /// <param name="tokens">The indices of the other tokens that stay, ascending, from <paramref name="start"/> to below the sequence's length.</param>
    /// <remarks>
    /// A moved token's index becomes smaller; its key keeps the rotation of the position with which it was appended. A layer rotates the next token by the new length, unless it is given positions: give them if
    /// removed tokens leave a gap in the positions. Tokens of <see cref="AttentionElement.Int4"/> that move are rounded again, with their new neighbours: from their floats
    /// if these are still there (remarks of <see cref="AttentionCache"/>), else a second time.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A number is outside its range, the tokens do not ascend, or 32 that would be rounded together have a scale larger than all finite halves; nothing has changed.
    /// </exception>
    public void Retain(int sequence, int start, ReadOnlySpan<int> tokens)
    {
        CheckSequence(sequence, nameof(sequence));
        int length = _lengths[sequence], min = start;
        if (start < 0 || start > length)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Must be 0 to the sequence's length {length}.");
        foreach (int token in tokens)
        {
            if (token < min || token >= length)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(tokens), token, start == length ? $"There are no tokens from {start} on, of which some could stay." : $"Tokens must ascend and be {start} to {length - 1}.");
            }
            min = token + 1;
        }

        int moved = 0;
        while (moved < tokens.Length && tokens[moved] == start + moved)
            moved++;
        if (moved == tokens.Length)
        {
            Shorten(sequence, start + moved);
            return;
        }

        if (_keys.WhyNotMoved(sequence, length, start, tokens, moved) is { } key)
            throw CachedRows.Refusal("key", KeyElement, key, nameof(tokens));
        if (_values.WhyNotMoved(sequence, length, start, tokens, moved) is { } value)
            throw CachedRows.Refusal("value", ValueElement, value, nameof(tokens));
        _keys.Move(sequence, length, start, tokens, moved);
        _values.Move(sequence, length, start, tokens, moved);
        _lengths[sequence] = start + tokens.Length;
    }

    /// <summary>
    /// Gives each sequence the tokens that another, or itself, had before: sequence <c>b</c> becomes what <c>sources[b]</c> was. A source may
    /// serve several sequences or none, as in a beam search (Hugging Face's <c>reorder_cache(beam_idx)</c>).
    /// </summary>
    /// <param name="sources">[B]: for each sequence its source, 0 to B − 1.</param>
    /// <remarks>In place: each sequence with another source is copied at most once, or swapped if sources form a cycle.</remarks>
    /// <exception cref="ArgumentException">There are not as many sources as sequences, or one is not a sequence; nothing has changed.</exception>
    public void Reorder(ReadOnlySpan<int> sources)
    {
        if (sources.Overlaps(_lengths))
            throw new ArgumentException("Overlaps the cache's own lengths, which are reordered too.", nameof(sources));
        CheckSources(sources);
        MoveFrom(sources);
    }

    /// <summary>Copies the tokens of a sequence over those of another: a prompt that both begin with, for instance.</summary>
    /// <param name="from">The sequence that is copied, 0 to B − 1.</param>
    /// <param name="to">The sequence that is overwritten, 0 to B − 1; nothing happens if it is <paramref name="from"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is not that of a sequence.</exception>
    public void CopySequence(int from, int to) => CopySequence(from, this, to);

    /// <summary>As <see cref="CopySequence(int, int)"/>, to another cache of the same layer.</summary>
    /// <param name="from">The sequence of this cache that is copied, 0 to B − 1.</param>
    /// <param name="destination">The cache that it is copied to, with as many heads of the same dimensions, element types and given scales.</param>
    /// <param name="to">The sequence of that cache which is overwritten, 0 to its B − 1.</param>
    /// <remarks>A destination whose capacity is too small grows, as when tokens are appended.</remarks>
    /// <exception cref="ArgumentException">A number is not that of a sequence, or the destination's heads, element types or given scales differ; nothing has changed.</exception>
    /// <exception cref="InvalidOperationException">The destination has no room and cannot grow; nothing has changed.</exception>
    public void CopySequence(int from, KeyValueCache destination, int to)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckSequence(from, nameof(from));
        destination.CheckSequence(to, nameof(to));
        if (destination.KeyValueHeads != KeyValueHeads || destination.HeadDim != HeadDim || destination.ValueDim != ValueDim || destination.KeyElement != KeyElement || destination.ValueElement != ValueElement)
        {
            throw new ArgumentException(
                $"Is of {Describe(destination)}; the source has {Describe(this)}.", nameof(destination));

            static string Describe(KeyValueCache cache) => $"{cache.KeyValueHeads} heads of dimensions {cache.HeadDim} and {cache.ValueDim}, {cache.KeyElement} and {cache.ValueElement}";
        }

        if (!destination._keys.GivenScales.SequenceEqual(_keys.GivenScales) || !destination._values.GivenScales.SequenceEqual(_values.GivenScales))
            throw new ArgumentException("Has other scales of channels than the source.", nameof(destination));
        destination.CheckRoom(_lengths[from]);
        destination.MakeRoom(_lengths[from]);
        Copy(from, destination, to);
    }

    private static int Longest(ReadOnlySpan<int> lengths)
    {
        int longest = 0;
        foreach (int length in lengths)
            longest = Math.Max(longest, length);
        return longest;
    }

    private void Write(ReadOnlySpan<float> keys, ReadOnlySpan<float> values, in BatchTokens tokens, RotaryEmbedding? rotary)
    {
        int keyFloats = KeyValueHeads * HeadDim, valueFloats = KeyValueHeads * ValueDim;
        for (int b = 0; b < Batch; b++)
        {
            for (int i = 0, count; i < tokens.LengthOf(b); i += count)
            {
                count = Together(b, i, tokens.LengthOf(b) - i);
                int row = b * tokens.Length + i;
                WriteKeys(b, i, new(keys.Slice(row * keyFloats, count * keyFloats), count, rotary, _starts[b] + i));
                WriteValues(b, i, new(values.Slice(row * valueFloats, count * valueFloats), count));
            }
        }
    }

    /// <summary>Removes the last tokens of a sequence that has more than a given number.</summary>
    private void Shorten(int sequence, int length)
    {
        length = Math.Min(length, _lengths[sequence]);
        _keys.Shorten(sequence, _lengths[sequence], length);
        _values.Shorten(sequence, _lengths[sequence], length);
        _lengths[sequence] = length;
    }

    /// <summary>Throws if a sequence of a length does not fit, even in a larger cache.</summary>
    /// <exception cref="InvalidOperationException">It does not.</exception>
    private void CheckRoom(long length)
    {
        if (length <= Capacity)
            return;
        if (!CanGrow)
            throw new InvalidOperationException($"The cache is full: it has room for {Capacity} tokens of a sequence and would hold {length}.");
        if (length > MaxCapacity)
            throw new InvalidOperationException($"The cache would hold {length} tokens of a sequence, more than the {MaxCapacity} that a span can.");
    }

    private void MakeRoom(int length)
    {
        if (length <= Capacity)
            return;
        int capacity = (int)Math.Max(length, Math.Min(2L * Capacity, MaxCapacity));
        int room = RoomFor(capacity);
        SequenceRows keys = _keys.WithCapacity(room, _lengths), values = _values.WithCapacity(room, _lengths);
        (_keys, _values, Capacity) = (keys, values, capacity);
    }

    /// <summary>Copies a sequence for which the destination has room.</summary>
    private void Copy(int from, KeyValueCache destination, int to)
    {
        if (from == to && destination == this)
            return;
        _keys.Copy(from, destination._keys, to, _lengths[from]);
        _values.Copy(from, destination._values, to, _lengths[from]);
        destination._lengths[to] = _lengths[from];
    }

    /// <summary>Tokens of each sequence for which there is memory: whole groups if tokens are rounded together.</summary>
    private int RoomFor(int capacity) => HasGroups ? (capacity + OpenGroup.Tokens - 1) / OpenGroup.Tokens * OpenGroup.Tokens : capacity;

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckSequence(int sequence, string name)
    {
        if (sequence < 0 || sequence >= Batch)
            throw new ArgumentOutOfRangeException(name, sequence, Batch == 0 ? "The cache has no sequences." : $"Sequences are 0 to {Batch - 1}.");
    }

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckBuffer(int elements, int batch, int length, int dim, string name)
    {
        Int128 expected = (Int128)batch * length * KeyValueHeads * dim;
        if (elements < expected)
            throw new ArgumentException($"Has {elements} elements; batch {batch} × tokens {length} × key-value heads {KeyValueHeads} × dimension {dim} need {expected}.", name);
    }
}
