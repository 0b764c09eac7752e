using System;

namespace FastAttn;

/// <summary>
/// The keys or the values of a sequence's last tokens as floats, where 32 tokens are rounded together (<see cref="AttentionElement.Int4"/>): those of its open group, the last one, which has
/// fewer than 32 tokens, perhaps none. Each append rounds the open group anew from them. The floats of the group before stay as long as nothing needs their place, so that a sequence that is
/// shortened by a few tokens, as drafts are, mostly has the floats that it goes on from.
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

    // Those of the group before, or of one that an append writes after the open one.
    private float[] _others = new float[Tokens * heads * dim];

    private bool _hasPrevious;

    /// <summary>Memory for what is stored of the open group while an append is under way.</summary>
    public Span<byte> Stored => _stored;

    /// <summary>How many tokens from one on are written together: one, or all of its group where a group is rounded together.</summary>
    /// <param name="keyElement">What keys are kept as.</param>
    /// <param name="valueElement">What values are kept as.</param>
    /// <param name="index">The first token's index in its sequence.</param>
    /// <param name="count">How many there are, at least 1.</param>
    public static int Together(AttentionElement keyElement, AttentionElement valueElement, int index, int count) =>
        keyElement == AttentionElement.Int4 || valueElement == AttentionElement.Int4 ? Math.Min(count, Tokens - index % Tokens) : 1;

    /// <summary>The floats of a token of the open group: [H_kv, d].</summary>
    public Span<float> Row(int token) => _rows.AsSpan(token % Tokens * _floats, _floats);

    /// <summary>As <see cref="Row"/>, of the group that <see cref="TakeOthers"/> makes the open one. The group before is forgotten.</summary>
    public Span<float> OtherRow(int token)
    {
        _hasPrevious = false;
        return _others.AsSpan(token % Tokens * _floats, _floats);
    }

    /// <summary>The first tokens of that group: [tokens, H_kv, d].</summary>
    public ReadOnlySpan<float> OtherRows(int count) => _others.AsSpan(0, count * _floats);

    /// <summary>Makes the other rows those of the open group.</summary>
    public void TakeOthers() => (_rows, _others, _hasPrevious) = (_others, _rows, false);

    /// <summary>Begins an append.</summary>
    /// <param name="length">The sequence's tokens.</param>
    /// <param name="end">Its tokens afterwards.</param>
    public void Begin(int length, int end) => _hasPrevious &= end / Tokens == length / Tokens;

    /// <summary>Takes new rows of one group; returns all of the group that there are, [tokens, H_kv, d]. Threads may take those of different groups at once, if nothing is to be turned.</summary>
    /// <param name="token">The first new token, counted from the begin of a page or the sequence.</param>
    /// <param name="rows">The rows: all of the group that the append has.</param>
    /// <param name="isOpen">Whether the group was the open one before the append.</param>
    public ReadOnlySpan<float> Take(int token, in NewRows rows, bool isOpen)
    {
        if (!isOpen && rows.Count == Tokens && rows.Rotary is null)
            return rows.Numbers;
        int first = token % Tokens * _floats, count = rows.Count * _floats;
        float[] group = isOpen ? _rows : _others;
        rows.CopyTo(dim, group.AsSpan(first, count));
        return group.AsSpan(0, first + count);
    }

    /// <summary>Ends an append, all of whose rows have been taken.</summary>
    /// <param name="length">The sequence's tokens before it.</param>
    /// <param name="end">Its tokens now.</param>
    public void Commit(int length, int end)
    {
        int closed = end / Tokens - length / Tokens;
        if (closed > 0)
            (_rows, _others, _hasPrevious) = (_others, _rows, closed == 1);
    }

    /// <summary>Goes back to fewer tokens.</summary>
    /// <param name="length">The sequence's tokens.</param>
    /// <param name="kept">Those that stay.</param>
    /// <returns>How many of the last tokens that stay have lost their floats: the caller gives those of the numbers that are stored (<see cref="Row"/>).</returns>
    public int Shorten(int length, int kept)
    {
        int closed = length / Tokens - kept / Tokens;
        if (closed == 0)
            return 0;
        bool areKnown = _hasPrevious && closed == 1;
        TakeOthers();
        return areKnown ? 0 : kept % Tokens;
    }

    /// <summary>Forgets the group before, which is not before any more.</summary>
    public void ForgetPrevious() => _hasPrevious = false;

    /// <summary>Copies the floats of a sequence to another.</summary>
    /// <param name="destination">Of as many heads of the dimension.</param>
    /// <param name="length">The sequence's tokens.</param>
    public void CopyTo(OpenGroup destination, int length)
    {
        _rows.AsSpan(0, length % Tokens * _floats).CopyTo(destination._rows);
        destination._hasPrevious = _hasPrevious;
        if (_hasPrevious)
            _others.CopyTo(destination._others, 0);
    }

    /// <summary>As <see cref="CopyTo"/>, to where <see cref="TakeOthers"/> brings them to use: so sequences can exchange floats.</summary>
    /// <param name="destination">Of as many heads of the dimension.</param>
    /// <param name="length">The sequence's tokens.</param>
    public void CopyToOthers(OpenGroup destination, int length)
    {
        _rows.AsSpan(0, length % Tokens * _floats).CopyTo(destination._others);
        destination._hasPrevious = false;
    }
}
