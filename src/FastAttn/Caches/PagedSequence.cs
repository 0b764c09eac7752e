using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>
/// The keys and values of one sequence's tokens, in pages of a <see cref="KeyValuePagePool"/>. Forks share pages until one of them writes to such a page.
/// <see cref="Dispose"/> gives the pages back; a sequence that is not disposed of keeps them.
/// </summary>
/// <remarks>
/// <para>
/// Token <c>p</c> is at position <c>p</c>, counted from 0, whatever has been evicted before it. While one thread changes the sequence (<see cref="Append"/>,
/// <see cref="Truncate"/>, <see cref="EvictBefore"/>, <see cref="Clear"/>, <see cref="Dispose"/>), no other changes it or reads it (<see cref="Fork"/>,
/// <see cref="CopyTo"/>, an attention). Any number of threads may read it at once. Other sequences do not matter, not even those that share its pages.
/// </para>
/// <para>Once warm, no call allocates on the managed heap but <see cref="Fork"/>. The list of pages grows by doubling, up to the pages that the sequence ever had at once.</para>
/// </remarks>
public sealed class PagedSequence : IDisposable
{
    private readonly PageReferences _references;

    // The pages from the first that is not evicted on, then room.
    private int[] _pages;
    private int _count;
    private int _evictedPages;
    private int _length;
    private bool _isDisposed;

    /// <summary>A sequence without tokens.</summary>
    /// <param name="pool">The pool that its pages are of.</param>
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

        // One more than the tokens need: the copy of a shared page is taken before that page is given up.
        _pages = capacity == 0 ? [] : new int[Math.Min(PagesOf(capacity), pool.PageCount) + 1];
    }

    private PagedSequence(PagedSequence origin)
    {
        Pool = origin.Pool;
        _references = origin._references;
        _pages = new int[origin._pages.Length];
        Take(origin.Pages, origin._evictedPages, origin._length);
    }

    /// <summary>The pool that the pages are of.</summary>
    public KeyValuePagePool Pool { get; }

    /// <summary>Tokens, those that have been evicted included: the position of the next one.</summary>
    public int Length => _length;

    /// <summary>Tokens that have been evicted: positions 0 to <see cref="EvictedTokens"/> − 1, whole pages.</summary>
    public int EvictedTokens => _evictedPages * Pool.PageSize;

    /// <summary>
    /// The pages of the tokens that have not been evicted, in their order: token <c>p</c> is in <c>Pages[(p − EvictedTokens) / page size]</c>, in row
    /// <c>p mod page size</c>. Valid until the sequence changes.
    /// </summary>
    public ReadOnlySpan<int> Pages => _pages.AsSpan(0, _count);

    /// <summary>How many free pages an append takes, as the sequence and its forks are now.</summary>
    /// <param name="tokens">Tokens, at least 0.</param>
    /// <returns>The pages that they fill, and one more where they begin in a page that another sequence shares: it is copied.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="tokens"/> is negative, or the length would not be an <see cref="int"/>.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public int PagesNeeded(int tokens)
    {
        CheckTokens(tokens);
        int written = WrittenPage(tokens);
        return NewPages(tokens) + (written >= 0 && _references.IsShared(written) ? 1 : 0);
    }

    /// <summary>
    /// Appends tokens. Each number is rounded to the pool's element types, to nearest, ties to even, as <see cref="KeyValueQuantizer"/> does it; a row is the key or value
    /// of one token and head.
    /// </summary>
    /// <param name="keys">K: [tokens, H_kv, d_k].</param>
    /// <param name="values">V: [tokens, H_kv, d_v].</param>
    /// <param name="tokens">How many, at least 0.</param>
    /// <param name="rotary">Turns the keys by their positions, from <see cref="Length"/> on, before they are rounded; what is given is not written. Null where they stay as they are.</param>
    /// <remarks>
    /// Buffers may be longer than needed. Floats, halves and bfloat16 take NaN and ±∞ as they are, and so what rounding makes infinite: a query that sees them has them in
    /// its output, as with other keys and values. Integers refuse what is not finite, also where turning made it so. A page that is filled in part and shared is copied first, so that forks do not see the tokens.
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

        CheckNumbers(keys, values, tokens, rotary);
        int added = NewPages(tokens), written = WrittenPage(tokens), last = _count - 1;
        MakeRoom(_count + added + 1);
        int taken = _references.Take(added, written, _pages.AsSpan(_count));
        bool isCopied = taken > added, isDone = false;
        try
        {
            if (isCopied)
            {
                _pages[last] = _pages[_count + added];
                Pool.CopyPage(written, _pages[last], _length % Pool.PageSize);
            }

            Write(keys, values, tokens, rotary);
            isDone = true;
        }
        finally
        {
            if (isDone)
            {
                _count += added;
                _length += tokens;
                if (isCopied)
                    _references.Release([written]);
            }
            else
            {
                // Only memory can run out here, since the embedding may allocate for new positions: all is undone.
                if (isCopied)
                    (_pages[last], _pages[_count + added]) = (written, _pages[last]);
                _references.Release(_pages.AsSpan(_count, taken));
            }
        }
    }

    /// <summary>Forgets the last tokens where there are more than <paramref name="length"/>, and gives back the pages that hold no other.</summary>
    /// <param name="length">The most tokens that stay: 0, or at least <see cref="EvictedTokens"/>. With 0, all is as in a new sequence.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or that of tokens of which some have been evicted; nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public void Truncate(int length)
    {
        ThrowIfDisposed();
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length >= _length)
            return;
        if (length != 0 && length < EvictedTokens)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"Tokens before {EvictedTokens} have been evicted: the length must be 0, or at least as many.");
        int kept = length == 0 ? 0 : PagesOf(length) - _evictedPages;
        _references.Release(_pages.AsSpan(kept, _count - kept));
        _count = kept;
        _length = length;
        if (length == 0)
            _evictedPages = 0;
    }

    /// <summary>Forgets all tokens, and that some have been evicted.</summary>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public void Clear() => Truncate(0);

    /// <summary>
    /// Gives back the pages all of whose tokens stand before a position, as those that a sliding window (<see cref="AttentionOptions.Window"/>) has left behind. The
    /// other tokens keep their positions.
    /// </summary>
    /// <param name="position">
    /// At most <see cref="Length"/>; nothing happens where it is negative. Where a query sees <c>w</c> tokens, its own included, the tokens before
    /// <see cref="Length"/> − <c>w</c> + 1 are hidden from all that are appended from now on.
    /// </param>
    /// <remarks>What has been evicted must be hidden from the queries that attend over the sequence, which a <see cref="PagedBatch"/> checks.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The position is more than the length; nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public void EvictBefore(int position)
    {
        ThrowIfDisposed();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, _length);
        int evicted = Math.Max(0, position / Pool.PageSize - _evictedPages);
        _references.Release(_pages.AsSpan(0, evicted));
        _pages.AsSpan(evicted, _count - evicted).CopyTo(_pages);
        _count -= evicted;
        _evictedPages += evicted;
    }

    /// <summary>A sequence of the same tokens, which shares all pages. It takes no page until one of both appends to a page that is filled in part.</summary>
    /// <returns>The sequence, which is disposed of by itself.</returns>
    /// <exception cref="ObjectDisposedException">The sequence or its pool has been disposed of.</exception>
    public PagedSequence Fork()
    {
        ThrowIfDisposed();
        Pool.ThrowIfDisposed();
        return new(this);
    }

    /// <summary>Copies keys and values out, as floats: those that are kept in 16 bits or in groups are widened exactly, other integers are multiplied by their scales.</summary>
    /// <param name="position">The first token, at least <see cref="EvictedTokens"/>.</param>
    /// <param name="tokens">How many, at least 0; no more than there are from the first on.</param>
    /// <param name="keys">Written: [tokens, H_kv, d_k], as they were turned.</param>
    /// <param name="values">Written: [tokens, H_kv, d_v].</param>
    /// <exception cref="ArgumentException">A number is outside its range, a buffer is too short, or both overlap; nothing has been written.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its pool has been disposed of.</exception>
    public void CopyTo(int position, int tokens, Span<float> keys, Span<float> values)
    {
        ThrowIfDisposed();
        if (position < EvictedTokens || position > _length)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"The tokens that have not been evicted are {EvictedTokens} to {_length - 1}.");
        if (tokens < 0 || tokens > _length - position)
            throw new ArgumentOutOfRangeException(nameof(tokens), tokens, $"There are {_length - position} tokens from {position} on.");
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
            (int page, int row) = PlaceOf(position + i);
            for (int head = 0; head < heads; head++)
            {
                int to = i * heads + head;
                Pool.ReadKey(page, head, row, keys.Slice(to * headDim, headDim));
                Pool.ReadValue(page, head, row, values.Slice(to * valueDim, valueDim));
            }
        }
    }

    /// <summary>Gives all pages back. A second time nothing happens.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _references.Release(Pages);
        (_isDisposed, _count, _evictedPages, _length) = (true, 0, 0, 0);
    }

    /// <summary>Throws where the sequence has been disposed of.</summary>
    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_isDisposed, this);

    /// <summary>Makes the sequence one of given pages, which are counted for it already, and gives up its own without giving them back.</summary>
    internal void Replace(ReadOnlySpan<int> pages, int evictedPages, int length)
    {
        MakeRoom(pages.Length + 1);
        pages.CopyTo(_pages);
        (_count, _evictedPages, _length) = (pages.Length, evictedPages, length);
    }

    /// <summary>Makes the list of pages so long that <see cref="Replace"/> allocates nothing.</summary>
    internal void MakeRoom(int pages)
    {
        if (pages > _pages.Length)
            Array.Resize(ref _pages, Math.Max(pages, 2 * _pages.Length));
    }

    private void Take(ReadOnlySpan<int> pages, int evictedPages, int length)
    {
        MakeRoom(pages.Length + 1);
        _references.Retain(pages);
        Replace(pages, evictedPages, length);
    }

    private void Write(ReadOnlySpan<float> keys, ReadOnlySpan<float> values, int tokens, RotaryEmbedding? rotary)
    {
        int heads = Pool.KeyValueHeads, headDim = Pool.HeadDim, valueDim = Pool.ValueDim;
        Span<float> turned = stackalloc float[headDim], scratch = stackalloc float[rotary?.Dim ?? 0];
        for (int i = 0; i < tokens; i++)
        {
            (int page, int row) = PlaceOf(_length + i);
            ReadOnlySpan<float> turn = rotary is null ? default : rotary.Row(_length + i, scratch);
            for (int head = 0; head < heads; head++)
            {
                int from = i * heads + head;
                scoped ReadOnlySpan<float> key = keys.Slice(from * headDim, headDim);
                if (rotary is not null)
                {
                    key.CopyTo(turned);
                    rotary.Turn(turned, headDim, turn);
                    key = turned;
                }

                Pool.WriteKey(page, head, row, key);
                Pool.WriteValue(page, head, row, values.Slice(from * valueDim, valueDim));
            }
        }
    }

    /// <summary>The page of a token and its row there.</summary>
    private (int Page, int Row) PlaceOf(int position)
    {
        (int page, int row) = Math.DivRem(position, Pool.PageSize);
        return (_pages[page - _evictedPages], row);
    }

    private int PagesOf(int tokens) => (int)(((long)tokens + Pool.PageSize - 1) / Pool.PageSize);

    /// <summary>How many pages more the sequence has after an append.</summary>
    private int NewPages(int tokens) => PagesOf(_length + tokens) - _evictedPages - _count;

    /// <summary>The page of the sequence that an append writes to: the last one, if it has room; else −1.</summary>
    private int WrittenPage(int tokens) => tokens > 0 && _length % Pool.PageSize != 0 ? _pages[_count - 1] : -1;

    private void CheckTokens(int tokens)
    {
        ThrowIfDisposed();
        if (tokens < 0 || tokens > int.MaxValue - _length)
            throw new ArgumentOutOfRangeException(nameof(tokens), tokens, $"Must be 0 to {int.MaxValue - _length}, since a position is an int and there are {_length} tokens.");
    }

    /// <summary>Refuses what cannot become the pool's integers. Keys are turned for it as they are when they are written, since that may make them infinite.</summary>
    private void CheckNumbers(ReadOnlySpan<float> keys, ReadOnlySpan<float> values, int tokens, RotaryEmbedding? rotary)
    {
        int heads = Pool.KeyValueHeads, headDim = Pool.HeadDim;
        if (KeyValueQuantizer.WhyRefused(values[..(tokens * heads * Pool.ValueDim)], Pool.ValueElement) is { } valueReason)
            throw new ArgumentException(valueReason, nameof(values));
        if (KeyValueQuantizer.IsInteger(Pool.KeyElement) && rotary is not null)
        {
            Span<float> turned = stackalloc float[headDim], scratch = stackalloc float[rotary.Dim];
            for (int row = 0; row < tokens * heads; row++)
            {
                keys.Slice(row * headDim, headDim).CopyTo(turned);
                rotary.Turn(turned, headDim, rotary.Row(_length + row / heads, scratch));
                if (KeyValueQuantizer.WhyRefused(turned, Pool.KeyElement) is { } turnedReason)
                    throw new ArgumentException($"Token {row / heads}, head {row % heads}, as it is turned: {turnedReason}", nameof(keys));
            }
        }
        else if (KeyValueQuantizer.WhyRefused(keys[..(tokens * heads * headDim)], Pool.KeyElement) is { } reason)
        {
            throw new ArgumentException(reason, nameof(keys));
        }
    }

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckBuffer(int elements, int tokens, int dim, string name)
    {
        long expected = (long)tokens * Pool.KeyValueHeads * dim;
        if (elements < expected)
            throw new ArgumentException($"Has {elements} elements; tokens {tokens} × key-value heads {Pool.KeyValueHeads} × dimension {dim} need {expected}.", name);
    }
}
