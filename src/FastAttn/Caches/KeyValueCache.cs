using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// Keys and values of a batch of sequences that are kept between calls, each sequence in one piece: for a layer of the tokens before the next ones
/// (<see cref="MultiHeadAttention.CreateCache"/>) or of an encoder's memory (<see cref="MultiHeadAttention.ProjectMemory"/>), or for kernels
/// (<see cref="Append"/>, <see cref="Keys"/>, <see cref="Values"/>). Calls that change it (an append, <see cref="Truncate(int)"/>, <see cref="Clear"/>,
/// <see cref="Retain"/>, <see cref="Reorder"/>, a copy to it) must not overlap with any other that takes it; any number of <see cref="MultiHeadAttention.Attend"/>,
/// and of copies from it, may run at once.
/// </summary>
/// <remarks>
/// <para>
/// What moves between sequences are their tokens, which are not computed again: a prompt can be computed in one sequence and copied to others,
/// and the sequences of a beam search follow their beams. Keys have been turned by their positions when they were appended.
/// </para>
/// <para>
/// Keys and values each have an element type of their own. Numbers are rounded to it when they are appended, to nearest, ties to even, as <see cref="KeyValueQuantizer"/> does
/// it; <see cref="AttentionElement.Int8"/> has a scale for each token and head, or one for each head and channel, which are given with the cache and cut off what is larger.
/// </para>
/// </remarks>
public sealed class KeyValueCache : AttentionCache
{
    private readonly int[] _lengths;
    private readonly int[] _starts;
    private readonly int[] _ends;

    // [B, H_kv, capacity, d], and the memory that they are in.
    private CachedRows _keys;
    private CachedRows _values;
    private float[] _keyMemory;
    private float[] _valueMemory;

    // [B]: the floats of the last tokens, where these are rounded together with later ones; else null.
    private readonly OpenGroup[]? _openKeys;
    private readonly OpenGroup[]? _openValues;

    // What an attention sees of each sequence: the lengths or, during an append, its ends.
    private int[] _seen;

    /// <summary>An empty cache.</summary>
    /// <param name="batch">Sequences B, at least 0.</param>
    /// <param name="capacity">Tokens of each sequence that there is room for, at least 0.</param>
    /// <param name="keyValueHeads">Key-value heads H_kv, at least 1.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="canGrow">Whether a full cache becomes larger, which allocates; else appending to it is an error.</param>
    /// <param name="keyElement">
    /// What keys are kept as. <see cref="AttentionElement.Int8Group32"/>, <see cref="AttentionElement.Int4Group32"/> and <see cref="AttentionElement.Int4"/> need a dimension that is a multiple of 32.
    /// </param>
    /// <param name="valueElement">What values are kept as, likewise.</param>
    /// <param name="keyScales">
    /// [H_kv, d_k], copied: the scale of each head and channel of keys that are <see cref="AttentionElement.Int8"/>, finite and not negative. Empty where each token and
    /// head has a scale of its own, and for other types.
    /// </param>
    /// <param name="valueScales">[H_kv, d_v], likewise for values.</param>
    /// <exception cref="ArgumentException">
    /// A number is outside its range, a dimension is no multiple of 32 where it must be, scales do not fit, or the cache would be larger than a span can be.
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
        (_keys, _keyMemory) = Allocate(KeyElement, HeadDim, capacity, keyScales);
        (_values, _valueMemory) = Allocate(ValueElement, ValueDim, capacity, valueScales);
        (_openKeys, _openValues) = (CreateOpenGroups(_keys), CreateOpenGroups(_values));
    }

    /// <inheritdoc/>
    public override int Batch { get; }

    /// <summary>Tokens of each sequence that there is room for.</summary>
    public int Capacity { get; private set; }

    /// <summary>Whether a cache that is full becomes larger, which allocates; else appending to it is an error.</summary>
    public bool CanGrow { get; }

    /// <summary>Tokens of each sequence.</summary>
    public ReadOnlySpan<int> Lengths => _lengths;

    /// <inheritdoc/>
    public override int MaxLength => Longest(_lengths);

    /// <summary>
    /// All keys, [B, H_kv, capacity, d_k], at their strides: the key input of an attention whose <see cref="AttentionOptions.KeyLengths"/> are <see cref="Lengths"/>. What stands
    /// after the end of a sequence is of no use. Valid until the cache changes.
    /// </summary>
    public AttentionInput Keys => _keys.Input(ref First(_keyMemory));

    /// <summary>All values, [B, H_kv, capacity, d_v], likewise.</summary>
    public AttentionInput Values => _values.Input(ref First(_valueMemory));

    /// <inheritdoc/>
    internal override ReadOnlySpan<int> Starts => _starts;

    /// <inheritdoc/>
    internal override ReadOnlySpan<int> Positions => _starts;

    /// <summary>The largest capacity whose keys and values a span can hold.</summary>
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

    /// <summary>Appends tokens to each sequence, for kernels: a layer appends by itself.</summary>
    /// <param name="keys">K: [B, L, H_kv, d_k].</param>
    /// <param name="values">V: [B, L, H_kv, d_v].</param>
    /// <param name="length">L: tokens of each sequence, at least 0.</param>
    /// <param name="lengths">[B]: how many of its tokens each sequence has, 0 to L, as in prompts of different lengths; the others are not appended. All where empty.</param>
    /// <param name="rotary">Turns the keys by their positions, from the sequence's length on, before they are rounded; what is given is not written. Null where they stay as they are.</param>
    /// <remarks>
    /// Buffers may be longer than needed. Floats, halves and bfloat16 take NaN and ±∞ as they are, and so what rounding makes infinite. Integers refuse what is not finite, also
    /// where turning made it so.
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
            throw new ArgumentException($"Has {lengths.Length} elements; batch {Batch} needs as many.", nameof(lengths));
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

    /// <summary>Copies tokens of a sequence, as floats of the numbers that are kept.</summary>
    /// <param name="sequence">The sequence, 0 to B − 1.</param>
    /// <param name="start">The index of the first token, 0 to the sequence's length.</param>
    /// <param name="tokens">How many, at least 0; no more than there are from the first on.</param>
    /// <param name="keys">Written: [tokens, H_kv, d_k], as they were turned.</param>
    /// <param name="values">Written: [tokens, H_kv, d_v].</param>
    /// <exception cref="ArgumentException">A number is outside its range, a buffer is too short, or both overlap; nothing has been written.</exception>
    public void CopyTo(int sequence, int start, int tokens, Span<float> keys, Span<float> values)
    {
        if (sequence < 0 || sequence >= Batch)
            throw new ArgumentOutOfRangeException(nameof(sequence), sequence, $"Sequences are 0 to {Batch - 1}.");
        if (start < 0 || start > _lengths[sequence])
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Must be 0 to the sequence's length {_lengths[sequence]}.");
        if (tokens < 0 || tokens > _lengths[sequence] - start)
            throw new ArgumentOutOfRangeException(nameof(tokens), tokens, $"There are {_lengths[sequence] - start} tokens from {start} on.");
        CheckBuffer(keys.Length, 1, tokens, HeadDim, nameof(keys));
        CheckBuffer(values.Length, 1, tokens, ValueDim, nameof(values));
        int heads = KeyValueHeads, headDim = HeadDim, valueDim = ValueDim;
        keys = keys[..(tokens * heads * headDim)];
        values = values[..(tokens * heads * valueDim)];
        if (keys.Overlaps(values))
            throw new ArgumentException("Overlaps keys.", nameof(values));
        for (int i = 0; i < tokens; i++)
        {
            _keys.ReadToken(ref First(_keyMemory), sequence, start + i, keys.Slice(i * heads * headDim, heads * headDim));
            _values.ReadToken(ref First(_valueMemory), sequence, start + i, values.Slice(i * heads * valueDim, heads * valueDim));
        }
    }

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => Truncate(0);

    /// <summary>Forgets the last tokens of sequences that have more than <paramref name="length"/>.</summary>
    /// <param name="length">The most tokens that a sequence may keep, at least 0.</param>
    /// <remarks>
    /// Where <see cref="AttentionElement.Int4"/> is kept, a sequence of n tokens goes on as if the last ones had never been there down to a length of <c>32·(⌊n / 32⌋ − 1)</c>, once. To less, the tokens of
    /// the span of 32 that it then ends in are rounded a second time when tokens are appended (remarks of <see cref="AttentionCache"/>).
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        for (int b = 0; b < Batch; b++)
            Shorten(b, length);
    }

    /// <summary>Forgets the last tokens of each sequence that has more than its length.</summary>
    /// <param name="lengths">[B]: the most tokens that each sequence may keep, at least 0.</param>
    /// <inheritdoc cref="Truncate(int)" path="/remarks"/>
    /// <exception cref="ArgumentException">The lengths are not as many as sequences, or one is negative; nothing has changed.</exception>
    public void Truncate(ReadOnlySpan<int> lengths)
    {
        if (lengths.Length != Batch)
            throw new ArgumentException($"Has {lengths.Length} elements; batch {Batch} needs as many.", nameof(lengths));
        foreach (int length in lengths)
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(lengths));
        for (int b = 0; b < Batch; b++)
            Shorten(b, lengths[b]);
    }

    /// <summary>Keeps some of the last tokens of a sequence and forgets the others, as of a tree of drafts those that were accepted.</summary>
    /// <param name="sequence">The sequence, 0 to B − 1.</param>
    /// <param name="start">The tokens before this one stay; 0 to the sequence's length.</param>
    /// <param name="tokens">The indices of those that stay of the others, ascending, from <paramref name="start"/> to below the sequence's length.</param>
    /// <remarks>
    /// A token's index becomes smaller; its key stays turned by the position that it was appended with. A layer turns the next token by the new length, unless it is given positions: give them where
    /// tokens went whose positions others do not take. Tokens of <see cref="AttentionElement.Int4"/> that move are rounded anew, with those that they come to stand beside: from their floats
    /// where these are still there (remarks of <see cref="AttentionCache"/>), else a second time.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A number is outside its range, the tokens do not ascend, or 32 that come to be rounded together have a scale larger than all finite halves; nothing has changed.
    /// </exception>
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

        int moved = 0;
        while (moved < tokens.Length && tokens[moved] == start + moved)
            moved++;
        if (moved == tokens.Length)
        {
            Shorten(sequence, start + moved);
            return;
        }

        if (MoveGroups(_keys, _keyMemory, _openKeys, sequence, start, tokens, moved, isWritten: false) is { } key)
            throw CachedRows.Refusal("key", KeyElement, key, nameof(tokens));
        if (MoveGroups(_values, _valueMemory, _openValues, sequence, start, tokens, moved, isWritten: false) is { } value)
            throw CachedRows.Refusal("value", ValueElement, value, nameof(tokens));
        Move(_keys, _keyMemory, _openKeys, sequence, start, tokens, moved);
        Move(_values, _valueMemory, _openValues, sequence, start, tokens, moved);
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
        CheckSources(sources);
        MoveFrom(sources);
    }

    /// <summary>Copies the tokens of a sequence over those of another, as a prompt that both begin with.</summary>
    /// <param name="from">The sequence that is copied, 0 to B − 1.</param>
    /// <param name="to">The sequence that is overwritten, 0 to B − 1; nothing happens where it is <paramref name="from"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is no sequence.</exception>
    public void CopySequence(int from, int to) => CopySequence(from, this, to);

    /// <summary>As <see cref="CopySequence(int, int)"/>, to another cache of the same layer.</summary>
    /// <param name="from">The sequence of this cache that is copied, 0 to B − 1.</param>
    /// <param name="destination">The cache that it is copied to, with as many heads of the same dimensions, element types and given scales.</param>
    /// <param name="to">The sequence of that cache which is overwritten, 0 to its B − 1.</param>
    /// <remarks>A destination whose capacity is too small grows, as it does when tokens are appended.</remarks>
    /// <exception cref="ArgumentException">A number is no sequence, or the destination's heads, element types or given scales differ; nothing has changed.</exception>
    /// <exception cref="InvalidOperationException">The destination has no room and cannot grow; nothing has changed.</exception>
    public void CopySequence(int from, KeyValueCache destination, int to)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (from < 0 || from >= Batch)
            throw new ArgumentOutOfRangeException(nameof(from), from, $"Sequences are 0 to {Batch - 1}.");
        if (to < 0 || to >= destination.Batch)
            throw new ArgumentOutOfRangeException(nameof(to), to, $"Sequences are 0 to {destination.Batch - 1}.");
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

    /// <inheritdoc/>
    internal override int LengthAfter(in BatchTokens tokens, string name)
    {
        long longest = 0;
        for (int b = 0; b < Batch; b++)
            longest = Math.Max(longest, (long)_lengths[b] + tokens.LengthOf(b));
        CheckRoom(longest);
        return (int)longest;
    }

    /// <inheritdoc/>
    internal override void CheckLength(int length, string name)
    {
        // A span holds all keys, however long.
    }

    /// <inheritdoc/>
    internal override void CheckQueries(in AttentionOptions options, in BatchTokens queries, bool areAppended)
    {
        // All tokens are there.
    }

    /// <inheritdoc/>
    internal override void Begin(in BatchTokens tokens)
    {
        base.Begin(tokens);
        MakeRoom(LengthAfter(tokens, nameof(tokens)));
        for (int b = 0; b < Batch; b++)
        {
            _starts[b] = _lengths[b];
            _ends[b] = _lengths[b] + tokens.LengthOf(b);
            _openKeys?[b].Begin(_lengths[b], _ends[b]);
            _openValues?[b].Begin(_lengths[b], _ends[b]);
        }

        _seen = _ends;
        CopyOpenGroups(_keys, _keyMemory, _openKeys, isBack: false);
        CopyOpenGroups(_values, _valueMemory, _openValues, isBack: false);
    }

    /// <inheritdoc/>
    internal override void Commit()
    {
        for (int b = 0; b < Batch; b++)
        {
            _openKeys?[b].Commit();
            _openValues?[b].Commit();
        }

        _ends.CopyTo(_lengths, 0);
        _seen = _lengths;
    }

    /// <inheritdoc/>
    internal override void Abandon()
    {
        _seen = _lengths;
        CopyOpenGroups(_keys, _keyMemory, _openKeys, isBack: true);
        CopyOpenGroups(_values, _valueMemory, _openValues, isBack: true);
    }

    /// <inheritdoc/>
    internal override void Attend(
        KernelPair kernels,
        ReadOnlySpan<float> query,
        Span<float> output,
        Span<float> weights,
        int queryHeads,
        int queryLength,
        in AttentionOptions options,
        AttentionExecution execution)
    {
        AttentionOptions complete = _seen.AsSpan().ContainsAnyExcept(_seen[0]) ? options with { KeyLengths = _seen } : options;
        AttentionShape shape = new(Batch, queryHeads, KeyValueHeads, queryLength, Longest(_seen)) { Layout = AttentionLayout.BatchLengthHeadDim };
        AttentionKernel kernel = kernels.For(complete);
        kernel.Forward(query, Keys, Values, output, shape, complete, execution);
        if (!weights.IsEmpty)
            kernel.ComputeWeights(query, Keys, weights, shape, complete, execution);
    }

    /// <inheritdoc/>
    private protected override (int Token, string Reason)? TryWriteKeys(int sequence, int token, in NewRows keys) =>
        _keys.Write(ref First(_keyMemory), sequence, _starts[sequence] + token, keys, _openKeys?[sequence], OpenGroup.GroupsAfter(_starts[sequence], token));

    /// <inheritdoc/>
    private protected override (int Token, string Reason)? TryWriteValues(int sequence, int token, in NewRows values) =>
        _values.Write(ref First(_valueMemory), sequence, _starts[sequence] + token, values, _openValues?[sequence], OpenGroup.GroupsAfter(_starts[sequence], token));

    /// <inheritdoc/>
    private protected override void Copy(int from, int to) => Copy(from, this, to);

    /// <inheritdoc/>
    private protected override void Swap(int one, int other)
    {
        int length = Math.Max(_lengths[one], _lengths[other]);
        for (int head = 0; head < KeyValueHeads; head++)
        {
            long first = RowOf(one, head, 0), second = RowOf(other, head, 0);
            _keys.Swap(ref First(_keyMemory), first, second, length);
            _values.Swap(ref First(_valueMemory), first, second, length);
        }

        if (_openKeys is not null)
            (_openKeys[one], _openKeys[other]) = (_openKeys[other], _openKeys[one]);
        if (_openValues is not null)
            (_openValues[one], _openValues[other]) = (_openValues[other], _openValues[one]);
        (_lengths[one], _lengths[other]) = (_lengths[other], _lengths[one]);
    }

    private static int Longest(ReadOnlySpan<int> lengths)
    {
        int longest = 0;
        foreach (int length in lengths)
            longest = Math.Max(longest, length);
        return longest;
    }

    private static ref byte First(float[] memory) => ref Unsafe.As<float, byte>(ref MemoryMarshal.GetArrayDataReference(memory));

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

    private OpenGroup[]? CreateOpenGroups(CachedRows rows)
    {
        if (rows.Element != AttentionElement.Int4)
            return null;
        var groups = new OpenGroup[Batch];
        foreach (ref OpenGroup group in groups.AsSpan())
            group = rows.CreateOpenGroup()!;
        return groups;
    }

    /// <summary>Keeps what is stored of the open groups that the append under way adds to, or brings it back.</summary>
    private void CopyOpenGroups(CachedRows rows, float[] memory, OpenGroup[]? open, bool isBack)
    {
        for (int b = 0; b < open?.Length; b++)
        {
            if (_lengths[b] % OpenGroup.Tokens != 0 && _ends[b] > _lengths[b])
                rows.CopyGroup(ref First(memory), b, _lengths[b], open[b].Stored, isBack);
        }
    }

    /// <summary>Forgets the last tokens of a sequence that has more than some.</summary>
    private void Shorten(int sequence, int length)
    {
        length = Math.Min(length, _lengths[sequence]);
        Shorten(_keys, _keyMemory, _openKeys, sequence, length);
        Shorten(_values, _valueMemory, _openValues, sequence, length);
        _lengths[sequence] = length;
    }

    private void Shorten(CachedRows rows, float[] memory, OpenGroup[]? open, int sequence, int length)
    {
        if (open is null)
            return;
        int lost = open[sequence].Shorten(_lengths[sequence], length);
        for (int token = length - lost; token < length; token++)
            rows.ReadToken(ref First(memory), sequence, token, open[sequence].Row(token));
    }

    /// <summary>Moves the tokens that stay, from one on, to where they are to stand.</summary>
    private void Move(CachedRows rows, float[] memory, OpenGroup[]? open, int sequence, int start, ReadOnlySpan<int> tokens, int moved)
    {
        if (open is not null)
        {
            _ = MoveGroups(rows, memory, open, sequence, start, tokens, moved, isWritten: true);
            open[sequence].TakeNext();
            return;
        }

        // Ascending, so that no token is overwritten before it has moved.
        for (int head = 0; head < KeyValueHeads; head++)
        {
            for (int i = moved; i < tokens.Length; i++)
                rows.Copy(ref First(memory), RowOf(sequence, head, tokens[i]), rows, ref First(memory), RowOf(sequence, head, start + i), 1);
        }
    }

    /// <summary>Rounds the groups that tokens move to, or tells why one is refused. The floats of the last one are in its place then.</summary>
    private string? MoveGroups(CachedRows rows, float[] memory, OpenGroup[]? open, int sequence, int start, ReadOnlySpan<int> tokens, int moved, bool isWritten)
    {
        if (open is null)
            return null;
        int length = _lengths[sequence], end = start + tokens.Length, first = (start + moved) / OpenGroup.Tokens * OpenGroup.Tokens;
        for (int i = first; i < end; i++)
        {
            int token = TokenOf(i, tokens);
            ReadOnlySpan<float> known = open[sequence].Find(length, token);
            Span<float> next = open[sequence].NextRow(i);
            if (known.IsEmpty)
                rows.ReadToken(ref First(memory), sequence, token, next);
            else
                known.CopyTo(next);
            int count = i % OpenGroup.Tokens + 1;
            if ((count == OpenGroup.Tokens || i == end - 1) && rows.Round(ref First(memory), sequence, i + 1 - count, open[sequence].NextRows(count), first: 0, isWritten) is { } refused)
                return $"Token {TokenOf(i + 1 - count + refused.Token, tokens)}, head {refused.Head}, {refused.Reason}";
        }

        return null;

        int TokenOf(int moved, ReadOnlySpan<int> tokens) => moved < start ? moved : tokens[moved - start];
    }

    /// <summary>Throws where a sequence of a length does not fit, not even in a larger cache.</summary>
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
        (CachedRows keys, float[] keyMemory) = Allocate(KeyElement, HeadDim, capacity, _keys.GivenScales);
        (CachedRows values, float[] valueMemory) = Allocate(ValueElement, ValueDim, capacity, _values.GivenScales);
        for (int b = 0; b < Batch; b++)
        {
            for (int head = 0; head < KeyValueHeads; head++)
            {
                long from = RowOf(b, head, 0), to = keys.RowOf(b, head, 0);
                _keys.Copy(ref First(_keyMemory), from, keys, ref First(keyMemory), to, _lengths[b]);
                _values.Copy(ref First(_valueMemory), from, values, ref First(valueMemory), to, _lengths[b]);
            }
        }

        (_keys, _keyMemory, _values, _valueMemory, Capacity) = (keys, keyMemory, values, valueMemory, capacity);
    }

    /// <summary>Copies a sequence that the destination has room for.</summary>
    private void Copy(int from, KeyValueCache destination, int to)
    {
        if (from == to && destination == this)
            return;
        for (int head = 0; head < KeyValueHeads; head++)
        {
            long source = RowOf(from, head, 0), target = destination.RowOf(to, head, 0);
            _keys.Copy(ref First(_keyMemory), source, destination._keys, ref First(destination._keyMemory), target, _lengths[from]);
            _values.Copy(ref First(_valueMemory), source, destination._values, ref First(destination._valueMemory), target, _lengths[from]);
        }

        if (_openKeys is not null)
            _openKeys[from].CopyTo(destination._openKeys![to], _lengths[from]);
        if (_openValues is not null)
            _openValues[from].CopyTo(destination._openValues![to], _lengths[from]);
        destination._lengths[to] = _lengths[from];
    }

    /// <summary>The index of a row among all rows, the same for keys and for values.</summary>
    private long RowOf(int sequence, int head, int token) => _keys.RowOf(sequence, head, token);

    private (CachedRows Rows, float[] Memory) Allocate(AttentionElement element, int dim, int capacity, ReadOnlySpan<float> scales)
    {
        int room = HasGroups ? (capacity + OpenGroup.Tokens - 1) / OpenGroup.Tokens * OpenGroup.Tokens : capacity;
        CachedRows rows = new(element, dim, KeyValueHeads, room, Batch, scales, start: 0);
        return (rows, new float[(rows.End + sizeof(float) - 1) / sizeof(float)]);
    }

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckBuffer(int elements, int batch, int length, int dim, string name)
    {
        Int128 expected = (Int128)batch * length * KeyValueHeads * dim;
        if (elements < expected)
            throw new ArgumentException($"Has {elements} elements; batch {batch} × tokens {length} × key-value heads {KeyValueHeads} × dimension {dim} need {expected}.", name);
    }
}
