using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The keys or the values of a <see cref="KeyValueCache"/>, [B, H_kv, capacity, d]: the rows, their memory, and the floats of the last tokens if these are rounded together with later
/// ones. The cache keeps the lengths of sequences.
/// </summary>
internal sealed class SequenceRows
{
    private readonly CachedRows _rows;
    private readonly float[] _memory;
    private readonly int _batch;
    private readonly int _heads;

    // [B]; null if tokens are rounded one by one.
    private readonly OpenGroup[]? _open;

    /// <summary>Allocates.</summary>
    /// <param name="element">The element type.</param>
    /// <param name="dim">d.</param>
    /// <param name="batch">B.</param>
    /// <param name="heads">H_kv.</param>
    /// <param name="capacity">Tokens of each sequence for which there is room.</param>
    /// <param name="scales">[H_kv, d], copied: the scales of 8-bit integers; empty if each row has its own.</param>
    public SequenceRows(AttentionElement element, int dim, int batch, int heads, int capacity, ReadOnlySpan<float> scales)
        : this(new CachedRows(element, dim, heads, capacity, batch, scales, start: 0), batch, heads)
    {
        if (element != AttentionElement.Int4)
            return;
        _open = new OpenGroup[batch];
        foreach (ref OpenGroup group in _open.AsSpan())
            group = _rows.CreateOpenGroup()!;
    }

    private SequenceRows(CachedRows rows, int batch, int heads)
    {
        (_rows, _batch, _heads) = (rows, batch, heads);
        _memory = new float[(rows.End + sizeof(float) - 1) / sizeof(float)];
    }

    private SequenceRows(CachedRows rows, SequenceRows origin)
        : this(rows, origin._batch, origin._heads) => _open = origin._open;

    /// <summary>All rows, as an attention's input.</summary>
    public AttentionInput Input => _rows.Input(ref First);

    /// <summary>[H_kv, d]: the given scales of 8-bit integers; empty if each row has its own.</summary>
    public ReadOnlySpan<float> GivenScales => _rows.GivenScales;

    private ref byte First => ref Unsafe.As<float, byte>(ref MemoryMarshal.GetArrayDataReference(_memory));

    /// <summary>The same sequences with room for more tokens. These rows must not be used afterwards, since both have the same open groups.</summary>
    /// <param name="capacity">Tokens of each sequence for which there is room.</param>
    /// <param name="lengths">[B]: tokens of each sequence.</param>
    public SequenceRows WithCapacity(int capacity, ReadOnlySpan<int> lengths)
    {
        SequenceRows larger = new(new CachedRows(_rows.Element, _rows.Dim, _heads, capacity, _batch, _rows.GivenScales, start: 0), this);
        for (int b = 0; b < _batch; b++)
            CopyRows(b, larger, b, lengths[b]);
        return larger;
    }

    /// <summary>Begins an append. Until it is committed, all that an <see cref="Abandon"/> needs is kept.</summary>
    /// <param name="lengths">[B]: tokens of each sequence.</param>
    /// <param name="ends">[B]: their tokens afterwards.</param>
    public void Begin(ReadOnlySpan<int> lengths, ReadOnlySpan<int> ends)
    {
        for (int b = 0; b < _open?.Length; b++)
            _open[b].Begin(lengths[b], ends[b]);
        CopyOpenGroups(lengths, ends, isBack: false);
    }

    /// <summary>Rounds the rows of tokens of the append, as <see cref="CachedRows.Write"/> does.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">Its tokens before the append.</param>
    /// <param name="token">The first token's number in the append.</param>
    /// <param name="rows">The rows.</param>
    /// <returns>Which of the tokens cannot be stored, and why; null if all are written.</returns>
    public (int Token, string Reason)? Write(int sequence, int length, int token, in NewRows rows) =>
        _rows.Write(ref First, sequence, length + token, rows, _open?[sequence], OpenGroup.GroupsAfter(length, token));

    /// <summary>Ends an append whose rows have all been written.</summary>
    public void Commit()
    {
        foreach (OpenGroup group in _open.AsSpan())
            group.Commit();
    }

    /// <summary>Undoes an append.</summary>
    /// <param name="lengths">[B]: tokens of each sequence before it.</param>
    /// <param name="ends">[B]: what they would have been afterwards.</param>
    public void Abandon(ReadOnlySpan<int> lengths, ReadOnlySpan<int> ends) => CopyOpenGroups(lengths, ends, isBack: true);

    /// <summary>Reads consecutive tokens as floats.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="start">The first token's index.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="numbers">[tokens, H_kv, d], written.</param>
    public void Read(int sequence, int start, int tokens, Span<float> numbers)
    {
        int rowFloats = _heads * _rows.Dim;
        for (int i = 0; i < tokens; i++)
            _rows.ReadToken(ref First, sequence, start + i, numbers.Slice(i * rowFloats, rowFloats));
    }

    /// <summary>Removes the last tokens of a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">Its tokens.</param>
    /// <param name="kept">Those that stay.</param>
    public void Shorten(int sequence, int length, int kept)
    {
        if (_open is null)
            return;
        int lost = _open[sequence].Shorten(length, kept);
        for (int token = kept - lost; token < kept; token++)
            _rows.ReadToken(ref First, sequence, token, _open[sequence].Row(token));
    }

    /// <summary>Why tokens cannot be moved, given which would be rounded together; null if they can.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">Its tokens.</param>
    /// <param name="start">The tokens before this one stay.</param>
    /// <param name="tokens">The others that stay, ascending: the first of them moves to <paramref name="start"/>.</param>
    /// <param name="moved">The first of these that is not yet at its new index.</param>
    public string? WhyNotMoved(int sequence, int length, int start, ReadOnlySpan<int> tokens, int moved) =>
        _open is null ? null : RoundMoved(_open[sequence], sequence, length, start, tokens, moved, isWritten: false);

    /// <summary>Moves tokens to their new indices. The parameters are those of <see cref="WhyNotMoved"/>, which has been called.</summary>
    public void Move(int sequence, int length, int start, ReadOnlySpan<int> tokens, int moved)
    {
        if (_open is not null)
        {
            _ = RoundMoved(_open[sequence], sequence, length, start, tokens, moved, isWritten: true);
            _open[sequence].TakeNext(length, start + moved, start + tokens.Length);
            return;
        }

        // Ascending, so that no token is overwritten before it has moved.
        for (int head = 0; head < _heads; head++)
        {
            for (int i = moved; i < tokens.Length; i++)
                _rows.Copy(ref First, _rows.RowOf(sequence, head, tokens[i]), _rows, ref First, _rows.RowOf(sequence, head, start + i), 1);
        }
    }

    /// <summary>Copies a sequence over another.</summary>
    /// <param name="from">The sequence that is copied.</param>
    /// <param name="destination">Where it is copied to: rows of the same type and dimension, or these rows.</param>
    /// <param name="to">The sequence there that is overwritten, which has room.</param>
    /// <param name="length">Tokens of the copied sequence.</param>
    public void Copy(int from, SequenceRows destination, int to, int length)
    {
        CopyRows(from, destination, to, length);
        if (_open is not null)
            _open[from].CopyTo(destination._open![to], length);
    }

    /// <summary>Exchanges two sequences.</summary>
    /// <param name="one">A sequence.</param>
    /// <param name="other">The other one.</param>
    /// <param name="length">Tokens of the longer.</param>
    public void Swap(int one, int other, int length)
    {
        for (int head = 0; head < _heads; head++)
            _rows.Swap(ref First, _rows.RowOf(one, head, 0), _rows.RowOf(other, head, 0), length);
        if (_open is not null)
            (_open[one], _open[other]) = (_open[other], _open[one]);
    }

    private void CopyRows(int from, SequenceRows destination, int to, int length)
    {
        for (int head = 0; head < _heads; head++)
            _rows.Copy(ref First, _rows.RowOf(from, head, 0), destination._rows, ref destination.First, destination._rows.RowOf(to, head, 0), length);
    }

    /// <summary>Saves what is stored of the open groups to which an append adds, or restores it.</summary>
    private void CopyOpenGroups(ReadOnlySpan<int> lengths, ReadOnlySpan<int> ends, bool isBack)
    {
        for (int b = 0; b < _open?.Length; b++)
        {
            if (lengths[b] % OpenGroup.Tokens != 0 && ends[b] > lengths[b])
                _rows.CopyGroup(ref First, b, lengths[b], _open[b].Stored, isBack);
        }
    }

    /// <summary>Rounds the groups to which tokens move, or returns why one is refused. The floats of the last one are then in place.</summary>
    private string? RoundMoved(OpenGroup open, int sequence, int length, int start, ReadOnlySpan<int> tokens, int moved, bool isWritten)
    {
        int end = start + tokens.Length, first = (start + moved) / OpenGroup.Tokens * OpenGroup.Tokens;
        for (int i = first; i < end; i++)
        {
            int token = TokenOf(i, tokens);
            ReadOnlySpan<float> known = open.Find(length, token);
            Span<float> next = open.NextRow(i);
            if (known.IsEmpty)
                _rows.ReadToken(ref First, sequence, token, next);
            else
                known.CopyTo(next);
            int count = i % OpenGroup.Tokens + 1;
            if ((count == OpenGroup.Tokens || i == end - 1) && _rows.Round(ref First, sequence, i + 1 - count, open.NextRows(count), first: 0, isWritten) is { } refused)
                return $"Token {TokenOf(i + 1 - count + refused.Token, tokens)}, head {refused.Head}, {refused.Reason}";
        }

        return null;

        int TokenOf(int moved, ReadOnlySpan<int> tokens) => moved < start ? moved : tokens[moved - start];
    }
}
