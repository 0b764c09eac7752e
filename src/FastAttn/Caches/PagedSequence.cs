using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>
/// The keys and values of one sequence's tokens, in pages of a <see cref="KeyValuePagePool"/>. Forks share pages until one of them writes to such a page.
/// <see cref="Dispose"/> gives the pages back; a sequence that is not disposed of keeps them.
/// </summary>
/// <remarks>
/// <para>
/// Each token has an index and a position. The <b>index</b> counts the tokens before it, including those that <see cref="EvictBefore"/> has given back; causal masks,
/// windows and ALiBi use it. The <b>position</b> is the one by which <see cref="Append"/> rotated the key, and does not change. Both are the same, counted from 0, until
/// <see cref="EvictBetween"/> closes a gap: the indices of the tokens after it become smaller.
/// </para>
/// <para>
/// While one thread changes the sequence (<see cref="Append"/>, <see cref="Truncate"/>, <see cref="EvictBefore"/>, <see cref="EvictBetween"/>, <see cref="Clear"/>,
/// <see cref="Dispose"/>), no other thread changes it or reads it (<see cref="Fork"/>, <see cref="CopyTo"/>, an attention). Any number of threads may read it at once. Other
/// sequences do not matter, not even those that share its pages.
/// </para>
/// <para>Once warm, only <see cref="Fork"/> allocates on the managed heap. The list of pages grows by doubling, up to the most pages that the sequence has ever had at once.</para>
/// </remarks>
public sealed class PagedSequence : IDisposable
{
    private readonly PageReferences _references;

    // The floats of the last tokens, if these are rounded together with later ones; else null.
    private OpenGroup? _openKeys;
    private OpenGroup? _openValues;

    // The pages from the first one not evicted on, then room.
    private int[] _pages;

    // For each of them how much its tokens' positions exceed their indices: the tokens before it that EvictBetween has given back.
    private int[] _gaps;
    private int _count;
    private int _evictedPages;
    private int _length;
    private int _gap;
    private bool _isDisposed;

    // The state before the append in progress, and the shared page that a copy has replaced; −1 for none.
    private int _begunLength;
    private int _begunCount;
    private int _replaced = -1;

    /// <summary>A sequence without tokens.</summary>
    /// <param name="pool">The pool of its pages.</param>
    /// <param name="capacity">Tokens that it can have before its list of pages grows, at least 0. No page is taken for them.</param>
    /// <exception cref="ArgumentException">The pool is null or the capacity negative.</exception>
    /// <exception cref="ObjectDisposedException">The pool has been disposed of.</exception>
    public PagedSequence(KeyValuePagePool pool, int capacity = 0)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        pool.ThrowIfDisposed();
        Pool = pool;
        _references = pool.References;
        (_openKeys, _openValues) = (pool.CreateOpenKeys(), pool.CreateOpenValues());

        // One more than the tokens need: the copy of a shared page is taken before that page is given up.
        _pages = capacity == 0 ? [] : new int[Math.Min(PagesOf(capacity), pool.PageCount) + 1];
        _gaps = capacity == 0 ? [] : new int[_pages.Length];
    }

    private PagedSequence(PagedSequence origin)
    {
        Pool = origin.Pool;
        _references = origin._references;
        (_openKeys, _openValues) = (Pool.CreateOpenKeys(), Pool.CreateOpenValues());
        _pages = new int[origin._pages.Length];
        _gaps = new int[origin._pages.Length];
        CopyFrom(origin);
    }

    /// <summary>The pool of the pages.</summary>
    public KeyValuePagePool Pool { get; }

    /// <summary>Tokens, including those that <see cref="EvictBefore"/> has given back: the index of the next one.</summary>
    public int Length => _length;

    /// <summary>
    /// The position of the next token, by which <see cref="Append"/> rotates its key: <see cref="Length"/> plus the tokens that <see cref="EvictBetween"/> has given back.
    /// </summary>
    public int NextPosition => _length + _gap;

    /// <summary>Tokens that <see cref="EvictBefore"/> has given back: indices 0 to <see cref="EvictedTokens"/> − 1, whole pages.</summary>
    public int EvictedTokens => _evictedPages * Pool.PageSize;

    /// <summary>
    /// The pages of the tokens that have not been evicted, in their order: token <c>i</c> is in <c>Pages[(i − EvictedTokens) / page size]</c>, in row
    /// <c>i mod page size</c>. Valid until the sequence changes.
    /// </summary>
    public ReadOnlySpan<int> Pages => _pages.AsSpan(0, _count);

    /// <summary>For each of the pages how much the positions of its tokens exceed their indices.</summary>
    internal ReadOnlySpan<int> Gaps => _gaps.AsSpan(0, _count);

    /// <summary>How many free pages an append takes, given the sequence and its forks as they are now.</summary>
    /// <param name="tokens">Tokens, at least 0.</param>
    /// <returns>The pages that they fill, and one more if they begin in a page that another sequence shares: it is copied.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="tokens"/> is negative, or the length would not be an <see cref="int"/>.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public int PagesNeeded(int tokens)
    {
        CheckTokens(tokens);
        int written = WrittenPage(tokens);
        return NewPages(tokens) + (written >= 0 && _references.IsShared(written) ? 1 : 0);
    }

    /// <summary>
    /// Appends tokens. Each number is rounded to the pool's element types, to nearest, ties to even, as by <see cref="KeyValueQuantizer"/>; a row is the key or value
    /// of one token and head.
    /// </summary>
    /// <param name="keys">K: [tokens, H_kv, d_k].</param>
    /// <param name="values">V: [tokens, H_kv, d_v].</param>
    /// <param name="tokens">How many, at least 0.</param>
    /// <param name="rotary">Rotates the keys by their positions, from <see cref="NextPosition"/> on, before they are rounded; the given keys are not changed. Null to store them as they are.</param>
    /// <remarks>
    /// Buffers may be longer than needed. Floats, halves and bfloat16 keep NaN and ±∞, also numbers that rounding makes infinite: they reach the output of a query that sees them,
    /// as with other keys and values. Integers refuse numbers that are not finite, also if the rotation made them so. A partly filled page that is shared is copied first, so that forks do not see the tokens.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A length does not fit, the embedding has more dimensions than a key, or a number that becomes an integer is not finite, or has a group's scale or minimum larger
    /// than all finite halves; nothing has changed.
    /// </exception>
    /// <exception cref="InvalidOperationException">The pool has too few free pages (<see cref="PagesNeeded"/>); neither the sequence nor the pool has changed.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its pool has been disposed of.</exception>
    public void Append(ReadOnlySpan<float> keys, ReadOnlySpan<float> values, int tokens, RotaryEmbedding? rotary = null)
    {
        CheckTokens(tokens);
        CheckBuffer(keys.Length, tokens, Pool.HeadDim, nameof(keys));
        CheckBuffer(values.Length, tokens, Pool.ValueDim, nameof(values));
        if (rotary?.Dim > Pool.HeadDim)
            throw new ArgumentException($"Turns {rotary.Dim} elements of a head; keys have {Pool.HeadDim}.", nameof(rotary));
        using PageMemoryUse use = Pool.Use();
        if (tokens == 0)
            return;

        BeginAppend(tokens);
        bool isDone = false;
        try
        {
            Write(keys, values, tokens, rotary);
            isDone = true;
        }
        finally
        {
            // Numbers may be refused, and memory may run out, since the embedding may allocate for new positions.
            if (isDone)
                CommitAppend();
            else
                AbandonAppend();
        }
    }

    /// <summary>Removes the last tokens if there are more than <paramref name="length"/>, and gives back the pages that hold no others.</summary>
    /// <param name="length">The most tokens that stay: 0, or at least <see cref="EvictedTokens"/>. With 0, the sequence is as new.</param>
    /// <remarks>
    /// With <see cref="AttentionElement.Int4"/>, a sequence of n tokens that is shortened once, to no less than <c>32·(⌊n / 32⌋ − 1)</c>, goes on as if the last tokens had never been there. If it is shortened further, the tokens of
    /// the span of 32 in which it then ends are rounded a second time when tokens are appended (remarks of <see cref="AttentionCache"/>).
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or ends among tokens that have been evicted; nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of or, with <see cref="AttentionElement.Int4"/>, its pool.</exception>
    public void Truncate(int length)
    {
        ThrowIfDisposed();
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length >= _length)
            return;
        if (length != 0 && length < EvictedTokens)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"Tokens before {EvictedTokens} have been evicted: the length must be 0, or at least as many.");
        int kept = length == 0 ? 0 : PagesOf(length) - _evictedPages;
        if (_openKeys is not null || _openValues is not null)
            ShortenOpenGroups(length);

        // The next token has the position of the first one removed.
        _gap = length == 0 ? 0 : _gaps[length / Pool.PageSize - _evictedPages];
        _references.Release(_pages.AsSpan(kept, _count - kept));
        _count = kept;
        _length = length;
        if (length == 0)
            _evictedPages = 0;
    }

    /// <summary>Removes all tokens, and forgets that some have been evicted.</summary>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public void Clear() => Truncate(0);

    /// <summary>
    /// Gives back the pages whose tokens are all before a given one: those that a sliding window (<see cref="AttentionOptions.Window"/>) has left behind, for instance. The
    /// other tokens keep their indices.
    /// </summary>
    /// <param name="token">
    /// An index, at most <see cref="Length"/>; nothing happens if it is negative. If a query sees <c>w</c> tokens, its own included, the tokens before
    /// <see cref="Length"/> − <c>w</c> + 1 are hidden from all queries that are appended from now on.
    /// </param>
    /// <remarks>Evicted tokens must be hidden from the queries that attend over the sequence, which a <see cref="PagedBatch"/> checks.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The index is more than the length; nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public void EvictBefore(int token)
    {
        ThrowIfDisposed();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(token, _length);
        int evicted = Math.Max(0, token / Pool.PageSize - _evictedPages);
        RemovePages(0, evicted);
        _evictedPages += evicted;
    }

    /// <summary>
    /// Gives back the pages whose tokens are all from <paramref name="start"/> to before <paramref name="end"/>, and moves the tokens after them up. So a text may go
    /// on forever in bounded memory: its first tokens, which get much of the attention, and its last ones stay (attention sinks; StreamingLLM, arXiv 2309.17453).
    /// </summary>
    /// <param name="start">The index of the first token that is not needed, from <see cref="EvictedTokens"/> on. To keep at least <c>n</c> first tokens, <c>n</c>.</param>
    /// <param name="end">The index after the last token that is not needed, from <paramref name="start"/> to <see cref="Length"/>. To keep at least <c>w</c> last tokens, <see cref="Length"/> − <c>w</c>.</param>
    /// <returns>
    /// The number of removed tokens, a multiple of the page size: those from <paramref name="start"/> to <paramref name="end"/>, without those that share a page with a token
    /// outside. 0 if no page has only such tokens.
    /// </returns>
    /// <remarks>
    /// <para>
    /// The indices of the tokens after the gap, and <see cref="Length"/>, decrease by the returned number. No query sees a removed token, and a query sees all that are left
    /// before it: its index, which a position offset sets and a causal mask uses, counts only the tokens that are left. Windows and ALiBi use indices too, and so do not
    /// count the gap, as in the paper.
    /// </para>
    /// <para>
    /// Keys keep the rotation of the positions with which they were appended, and <see cref="NextPosition"/> does not decrease. A query must likewise be rotated by its position,
    /// not by its index. Scores between tokens that are left are then those of the whole text: with a rotary embedding the gap counts, unlike in the paper, which rotates keys
    /// again by their indices. A model that cannot handle such distances needs the shorter ones: append its keys again.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside its range; nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public int EvictBetween(int start, int end)
    {
        ThrowIfDisposed();
        if (start < EvictedTokens || start > _length)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Must be EvictedTokens {EvictedTokens} to Length {_length}.");
        if (end < start || end > _length)
            throw new ArgumentOutOfRangeException(nameof(end), end, $"Must be {start} to {_length}.");
        int first = PagesOf(start), pages = Math.Max(0, end / Pool.PageSize - first), tokens = pages * Pool.PageSize;
        bool losesPrevious = pages > 0 && (first + pages) * Pool.PageSize > (_length / OpenGroup.Tokens - 1) * OpenGroup.Tokens;
        first -= _evictedPages;
        RemovePages(first, pages);
        foreach (ref int gap in _gaps.AsSpan(first, _count - first))
            gap += tokens;
        if (losesPrevious)
        {
            _openKeys?.ForgetPrevious();
            _openValues?.ForgetPrevious();
        }

        _gap += tokens;
        _length -= tokens;
        return tokens;
    }

    /// <summary>A sequence of the same tokens, which shares all pages. It takes no page until one of the two appends to a partly filled page. The floats that <see cref="AttentionElement.Int4"/> keeps of the last tokens are copied.</summary>
    /// <returns>The sequence, which must be disposed of separately.</returns>
    /// <exception cref="ObjectDisposedException">The sequence or its pool has been disposed of.</exception>
    public PagedSequence Fork()
    {
        ThrowIfDisposed();
        Pool.ThrowIfDisposed();
        return new(this);
    }

    /// <summary>Copies keys and values out, as floats: 16-bit numbers and groups are widened exactly, other integers are multiplied by their scales.</summary>
    /// <param name="start">The index of the first token, at least <see cref="EvictedTokens"/>.</param>
    /// <param name="tokens">How many, at least 0; at most the tokens from the first on.</param>
    /// <param name="keys">Written: [tokens, H_kv, d_k], as they were rotated.</param>
    /// <param name="values">Written: [tokens, H_kv, d_v].</param>
    /// <exception cref="ArgumentException">A number is outside its range, a buffer is too short, or both overlap; nothing has been written.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its pool has been disposed of.</exception>
    public void CopyTo(int start, int tokens, Span<float> keys, Span<float> values)
    {
        ThrowIfDisposed();
        if (start < EvictedTokens || start > _length)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Must be EvictedTokens {EvictedTokens} to Length {_length}.");
        if (tokens < 0 || tokens > _length - start)
            throw new ArgumentOutOfRangeException(nameof(tokens), tokens, $"There are {_length - start} tokens from {start} on.");
        CheckBuffer(keys.Length, tokens, Pool.HeadDim, nameof(keys));
        CheckBuffer(values.Length, tokens, Pool.ValueDim, nameof(values));
        int heads = Pool.KeyValueHeads, headDim = Pool.HeadDim, valueDim = Pool.ValueDim;
        keys = keys[..(tokens * heads * headDim)];
        values = values[..(tokens * heads * valueDim)];
        if (keys.Overlaps(values))
            throw new ArgumentException("Overlaps keys.", nameof(values));
        using PageMemoryUse use = Pool.Use();
        for (int i = 0; i < tokens; i++)
        {
            (int page, int row) = PlaceOf(start + i);
            Pool.ReadKeys(page, row, keys.Slice(i * heads * headDim, heads * headDim));
            Pool.ReadValues(page, row, values.Slice(i * heads * valueDim, heads * valueDim));
        }
    }

    /// <summary>Gives all pages back. A second call does nothing.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _references.Release(Pages);
        (_isDisposed, _count, _evictedPages, _length, _gap) = (true, 0, 0, 0, 0);
    }

    /// <summary>Throws if the sequence has been disposed of.</summary>
    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_isDisposed, this);

    /// <summary>As <see cref="ThrowIfDisposed()"/>, where the sequence is one of a batch.</summary>
    /// <param name="index">Its index in the batch.</param>
    internal void ThrowIfDisposed(int index)
    {
        if (_isDisposed)
            throw new ObjectDisposedException(nameof(PagedSequence), $"Sequence {index} of the batch has been disposed of; remove it from the batch first.");
    }

    /// <summary>
    /// Takes the pages for tokens whose rows are written next: they count as the sequence's from now on, until <see cref="CommitAppend"/> or
    /// <see cref="AbandonAppend"/>. The memory is held meanwhile.
    /// </summary>
    /// <exception cref="InvalidOperationException">The pool has too few free pages; neither the sequence nor the pool has changed.</exception>
    internal void BeginAppend(int tokens)
    {
        CheckTokens(tokens);
        int added = NewPages(tokens), written = WrittenPage(tokens), last = _count - 1;
        MakeRoom(_count + added + 1);
        _openKeys?.Begin(_length, _length + tokens);
        _openValues?.Begin(_length, _length + tokens);
        int taken = _references.Take(added, written, _pages.AsSpan(_count));
        (_begunLength, _begunCount) = (_length, _count);
        if (taken > added)
        {
            (_replaced, _pages[last]) = (written, _pages[_count + added]);
            Pool.CopyPage(written, _pages[last], _length % Pool.PageSize);
        }

        if (_length % OpenGroup.Tokens != 0)
            CopyOpenGroups(isBack: false);
        _gaps.AsSpan(_count, added).Fill(_gap);
        _count += added;
        _length += tokens;
    }

    /// <summary>Ends an append whose rows have been written.</summary>
    internal void CommitAppend()
    {
        if (_replaced >= 0)
            _references.Release([_replaced]);
        _replaced = -1;
        _openKeys?.Commit();
        _openValues?.Commit();
    }

    /// <summary>Undoes an append.</summary>
    internal void AbandonAppend()
    {
        _references.Release(_pages.AsSpan(_begunCount, _count - _begunCount));
        (_length, _count) = (_begunLength, _begunCount);
        if (_replaced < 0)
        {
            if (_length % OpenGroup.Tokens != 0)
                CopyOpenGroups(isBack: true);
            return;
        }

        _references.Release([_pages[_count - 1]]);
        (_pages[_count - 1], _replaced) = (_replaced, -1);
    }

    /// <summary>Rounds the keys of tokens to the stored type; returns why they are refused, as <see cref="CachedRows.Write"/> does.</summary>
    /// <param name="token">
    /// The first token's number in the append in progress. Any number of threads may each write their own tokens. Those that are written together (<see cref="OpenGroup.Together"/>) are written in one call.
    /// </param>
    /// <param name="keys">[tokens, H_kv, d_k].</param>
    internal (int Token, string Reason)? WriteKeys(int token, in NewRows keys)
    {
        (int page, int row) = PlaceOf(_begunLength + token);
        return Pool.WriteKeys(page, row, keys, _openKeys, OpenGroup.GroupsAfter(_begunLength, token));
    }

    /// <summary>As <see cref="WriteKeys"/>, for values.</summary>
    /// <param name="token">The first token's number in the append in progress.</param>
    /// <param name="values">[tokens, H_kv, d_v].</param>
    internal (int Token, string Reason)? WriteValues(int token, in NewRows values)
    {
        (int page, int row) = PlaceOf(_begunLength + token);
        return Pool.WriteValues(page, row, values, _openValues, OpenGroup.GroupsAfter(_begunLength, token));
    }

    /// <summary>Gives the sequence another's tokens, and gives its own pages back.</summary>
    internal void CopyFrom(PagedSequence source)
    {
        _references.Retain(source.Pages);
        _references.Release(Pages);
        Replace(source.Pages, source.Gaps, source._evictedPages, source._length, source._gap);
        if (_openKeys is not null)
            source._openKeys!.CopyTo(_openKeys, _length);
        if (_openValues is not null)
            source._openValues!.CopyTo(_openValues, _length);
    }

    /// <summary>Gives the sequence the given pages, which have already been counted for it, and drops its own without giving them back.</summary>
    internal void Replace(ReadOnlySpan<int> pages, ReadOnlySpan<int> gaps, int evictedPages, int length, int gap)
    {
        MakeRoom(pages.Length + 1);
        pages.CopyTo(_pages);
        gaps.CopyTo(_gaps);
        (_count, _evictedPages, _length, _gap) = (pages.Length, evictedPages, length, gap);
    }

    /// <summary>Exchanges the tokens for those of another sequence.</summary>
    internal void Swap(PagedSequence other)
    {
        (_pages, other._pages) = (other._pages, _pages);
        (_gaps, other._gaps) = (other._gaps, _gaps);
        (_count, other._count) = (other._count, _count);
        (_evictedPages, other._evictedPages) = (other._evictedPages, _evictedPages);
        (_length, other._length) = (other._length, _length);
        (_gap, other._gap) = (other._gap, _gap);
        (_openKeys, other._openKeys) = (other._openKeys, _openKeys);
        (_openValues, other._openValues) = (other._openValues, _openValues);
    }

    /// <summary>Makes the list of pages so long that <see cref="Replace"/> allocates nothing.</summary>
    internal void MakeRoom(int pages)
    {
        if (pages <= _pages.Length)
            return;
        int room = Math.Max(pages, 2 * _pages.Length);
        Array.Resize(ref _gaps, room);
        Array.Resize(ref _pages, room);
    }

    private void RemovePages(int first, int pages)
    {
        _references.Release(_pages.AsSpan(first, pages));
        _pages.AsSpan(first + pages, _count - first - pages).CopyTo(_pages.AsSpan(first));
        _gaps.AsSpan(first + pages, _count - first - pages).CopyTo(_gaps.AsSpan(first));
        _count -= pages;
    }

    private void Write(ReadOnlySpan<float> keys, ReadOnlySpan<float> values, int tokens, RotaryEmbedding? rotary)
    {
        int keyFloats = Pool.KeyValueHeads * Pool.HeadDim, valueFloats = Pool.KeyValueHeads * Pool.ValueDim;
        for (int i = 0, count; i < tokens; i += count)
        {
            count = OpenGroup.Together(Pool.KeyElement, Pool.ValueElement, _begunLength + i, tokens - i);
            if (WriteKeys(i, new(keys.Slice(i * keyFloats, count * keyFloats), count, rotary, _begunLength + _gap + i)) is { } key)
                throw CachedRows.Refusal("key", Pool.KeyElement, $"Token {i + key.Token}, {key.Reason}", nameof(keys));
            if (WriteValues(i, new(values.Slice(i * valueFloats, count * valueFloats), count)) is { } value)
                throw CachedRows.Refusal("value", Pool.ValueElement, $"Token {i + value.Token}, {value.Reason}", nameof(values));
        }
    }

    /// <summary>Saves what is stored of the last tokens that are rounded together with later ones, or restores it.</summary>
    private void CopyOpenGroups(bool isBack)
    {
        if (_openKeys is null && _openValues is null)
            return;
        (int page, int row) = PlaceOf(_length - 1);
        Pool.CopyOpenGroups(page, row + 1, _openKeys, _openValues, isBack);
    }

    /// <summary>Shortens the sequence; tokens that have lost their floats get the stored numbers.</summary>
    private void ShortenOpenGroups(int length)
    {
        using PageMemoryUse use = Pool.Use();
        int keys = _openKeys?.Shorten(_length, length) ?? 0, values = _openValues?.Shorten(_length, length) ?? 0;
        for (int i = length - keys; i < length; i++)
        {
            (int page, int row) = PlaceOf(i);
            Pool.ReadKeys(page, row, _openKeys!.Row(i));
        }

        for (int i = length - values; i < length; i++)
        {
            (int page, int row) = PlaceOf(i);
            Pool.ReadValues(page, row, _openValues!.Row(i));
        }
    }

    /// <summary>The page of a token and its row there.</summary>
    private (int Page, int Row) PlaceOf(int index)
    {
        (int page, int row) = Math.DivRem(index, Pool.PageSize);
        return (_pages[page - _evictedPages], row);
    }

    private int PagesOf(int tokens) => (int)(((long)tokens + Pool.PageSize - 1) / Pool.PageSize);

    /// <summary>How many more pages the sequence has after an append.</summary>
    private int NewPages(int tokens) => PagesOf(_length + tokens) - _evictedPages - _count;

    /// <summary>The page of the sequence that an append writes to: the last one, if it has room; else −1.</summary>
    private int WrittenPage(int tokens) => tokens > 0 && _length % Pool.PageSize != 0 ? _pages[_count - 1] : -1;

    /// <summary>Throws if tokens cannot be appended, however many pages are free.</summary>
    /// <param name="tokens">How many.</param>
    /// <param name="name">The parameter that says so.</param>
    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    internal void CheckTokens(int tokens, string name = "tokens")
    {
        ThrowIfDisposed();
        if (tokens < 0 || tokens > int.MaxValue - NextPosition)
            throw new ArgumentOutOfRangeException(name, tokens, $"Must be 0 to {int.MaxValue - NextPosition}, since a position is an int and the next one is {NextPosition}.");
    }

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckBuffer(int elements, int tokens, int dim, string name)
    {
        long expected = (long)tokens * Pool.KeyValueHeads * dim;
        if (elements < expected)
            throw new ArgumentException($"Has {elements} elements; tokens {tokens} × key-value heads {Pool.KeyValueHeads} × dimension {dim} need {expected}.", name);
    }
}
