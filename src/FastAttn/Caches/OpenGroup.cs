using System;

namespace FastAttn;

/// <summary>
/// The keys or the values of a sequence's last tokens as floats, where spans of 32 tokens are rounded together (<see cref="AttentionElement.Int4"/>): those of its open group, the span to which the next
/// token belongs, which has fewer than 32 tokens, perhaps none. Each append rounds the open group again from them. The floats of the group before are kept too, so that a sequence that is shortened by a
/// few tokens, as drafts are, or by the last one of a prompt, has the floats from which it goes on.
/// </summary>
/// <param name="heads">H_kv.</param>
/// <param name="dim">d.</param>
internal sealed class OpenGroup(int heads, int dim)
{
    /// <summary>Tokens of a group.</summary>
    public const int Tokens = AttentionInput.ScaledTokens;

    private readonly int _floats = heads * dim;

    // What is stored of the open group before an append: 4 bits for each float, and the scales and minima, 16 bits each.
    private readonly byte[] _stored = new byte[heads * dim * (Tokens / 2 + 2 * sizeof(ushort))];

    // [32, H_kv, d]: the floats of the open group; during an append followed by those that close it.
    private float[] _rows = new float[Tokens * heads * dim];

    // Those of the group before it.
    private float[] _previous = new float[Tokens * heads * dim];

    // Those that an append or a move makes the floats of the open group.
    private float[] _next = new float[Tokens * heads * dim];

    // During an append that ends several groups: those of the last of them, if the group before has floats, which are kept until the append is committed. Allocated by the first such append.
    private float[]? _ending;

    // How many groups end with the append in progress.
    private int _closed;

    private bool _hasPrevious;

    /// <summary>Memory for what is stored of the open group during an append.</summary>
    public Span<byte> Stored => _stored;

    /// <summary>How many tokens from a given one on are written together: one, or all of its group if a group is rounded together.</summary>
    /// <param name="keyElement">The element type of keys.</param>
    /// <param name="valueElement">The element type of values.</param>
    /// <param name="index">The first token's index in its sequence.</param>
    /// <param name="count">How many there are, at least 1.</param>
    public static int Together(AttentionElement keyElement, AttentionElement valueElement, int index, int count) =>
        keyElement == AttentionElement.Int4 || valueElement == AttentionElement.Int4 ? Math.Min(count, Tokens - index % Tokens) : 1;

    /// <summary>How many groups after the open one a token is.</summary>
    /// <param name="length">The sequence's tokens before the append.</param>
    /// <param name="token">The token's number in the append.</param>
    public static int GroupsAfter(int length, int token) => (length + token) / Tokens - length / Tokens;

    /// <summary>The floats of a token of the open group: [H_kv, d].</summary>
    public Span<float> Row(int token) => RowOf(_rows, token);

    /// <summary>The floats of a token, [H_kv, d]; empty if they are gone.</summary>
    /// <param name="length">The sequence's tokens.</param>
    /// <param name="token">One of them.</param>
    public ReadOnlySpan<float> Find(int length, int token) => (length / Tokens - token / Tokens) switch
    {
        0 => RowOf(_rows, token),
        1 when _hasPrevious => RowOf(_previous, token),
        _ => default,
    };

    /// <summary>As <see cref="Row"/>, for the group that <see cref="TakeNext"/> makes the open one.</summary>
    public Span<float> NextRow(int token) => RowOf(_next, token);

    /// <summary>The first tokens of that group: [tokens, H_kv, d].</summary>
    public ReadOnlySpan<float> NextRows(int count) => _next.AsSpan(0, count * _floats);

    /// <summary>
    /// Makes the group to which tokens have moved the open one or, if it is full, the one before. If it is not full, the group before is forgotten if tokens of it have moved, too.
    /// </summary>
    /// <param name="length">The sequence's tokens before they moved.</param>
    /// <param name="moved">The first index to which another token moved.</param>
    /// <param name="end">The sequence's tokens afterwards.</param>
    public void TakeNext(int length, int moved, int end)
    {
        if (end % Tokens == 0)
            (_previous, _next, _hasPrevious) = (_next, _previous, true);
        else
            (_rows, _next, _hasPrevious) = (_next, _rows, _hasPrevious && moved / Tokens == length / Tokens);
    }

    /// <summary>Begins an append. Until <see cref="Commit"/> all floats of the sequence's tokens stay as they are, so that there is nothing to undo.</summary>
    /// <param name="length">The sequence's tokens.</param>
    /// <param name="end">Its tokens afterwards.</param>
    public void Begin(int length, int end)
    {
        _closed = end / Tokens - length / Tokens;
        if (_closed > 1 && _hasPrevious)
            _ending ??= new float[_previous.Length];
    }

    /// <summary>
    /// Takes new rows of one group; returns all rows that the group then has, [tokens, H_kv, d]. Threads may take rows of different groups at once; if rows are to be rotated, groups
    /// are taken one after the other.
    /// </summary>
    /// <param name="token">The first new token, counted from the beginning of a page or the sequence.</param>
    /// <param name="rows">The rows: all that the append has of the group.</param>
    /// <param name="groupsAfter">How many groups after the open one it is (<see cref="GroupsAfter"/>).</param>
    public ReadOnlySpan<float> Take(int token, in NewRows rows, int groupsAfter)
    {
        if (groupsAfter > 0 && groupsAfter < _closed - 1 && rows.Rotary is null)
            return rows.Numbers;
        int first = token % Tokens * _floats, count = rows.Count * _floats;
        float[] group = groupsAfter == 0 ? _rows : groupsAfter == _closed ? _next : _hasPrevious ? _ending! : _previous;
        rows.CopyTo(dim, group.AsSpan(first, count));
        return group.AsSpan(0, first + count);
    }

    /// <summary>Ends an append, all of whose rows have been taken.</summary>
    public void Commit()
    {
        if (_closed == 0)
            return;
        if (_closed == 1)
            (_previous, _rows) = (_rows, _previous);
        else if (_hasPrevious)
            (_previous, _ending) = (_ending!, _previous);
        (_rows, _next, _hasPrevious) = (_next, _rows, true);
    }

    /// <summary>Shortens the sequence.</summary>
    /// <param name="length">The sequence's tokens.</param>
    /// <param name="kept">Those that stay.</param>
    /// <returns>How many of the last tokens that stay have lost their floats: the caller writes the stored numbers instead (<see cref="Row"/>).</returns>
    public int Shorten(int length, int kept)
    {
        int closed = length / Tokens - kept / Tokens;
        if (closed == 0)
            return 0;
        int lost = _hasPrevious && closed == 1 ? 0 : kept % Tokens;
        (_rows, _previous, _hasPrevious) = (_previous, _rows, false);
        return lost;
    }

    /// <summary>Forgets the group before, since it no longer precedes the open one.</summary>
    public void ForgetPrevious() => _hasPrevious = false;

    /// <summary>Copies the floats of a sequence to another.</summary>
    /// <param name="destination">The destination, with as many heads of the same dimension.</param>
    /// <param name="length">The sequence's tokens.</param>
    public void CopyTo(OpenGroup destination, int length)
    {
        _rows.AsSpan(0, length % Tokens * _floats).CopyTo(destination._rows);
        destination._hasPrevious = _hasPrevious;
        if (_hasPrevious)
            _previous.CopyTo(destination._previous, 0);
    }

    private Span<float> RowOf(float[] group, int token) => group.AsSpan(token % Tokens * _floats, _floats);
}
