using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>
/// Sequences of one <see cref="KeyValuePagePool"/> that are attended over in one call: a decoding step of many sequences, prompts, or both. It does not own the
/// sequences, which may also be in other batches.
/// </summary>
/// <remarks>
/// <para>
/// <see cref="AttentionCache.Attend(AttentionInput, AttentionOutput, int, int, AttentionMask, in AttentionOptions, AttentionLayout, AttentionExecution)"/> gives the bits that each
/// sequence has alone, with contiguous keys and values instead of pages, and with evicted ones still among them. <see cref="SharesPrefix"/> trades these bits
/// for speed.
/// </para>
/// <para>
/// The kernel gets a table of pages, [sequences, pages of the longest]. Evicted pages keep their place in it, so that positions are those of the sequence; in that place the
/// table has the first page that the sequence still has, whose tokens are hidden there.
/// </para>
/// <para>
/// A batch is used by one thread at a time, and while it attends no thread changes its sequences. Once warm, no call allocates on the managed heap: the table grows by
/// doubling.
/// </para>
/// </remarks>
public sealed class PagedBatch : AttentionCache
{
    private readonly List<PagedSequence> _sequences = [];
    private int[] _table = [];
    private int[] _lengths = [];
    private int[] _offsets = [];
    private int[] _starts = [];
    private int[] _positions = [];

    // How many of the sequences have begun an append.
    private int _begun;
    private SharedPrefix? _prefix;

    /// <summary>A batch without sequences.</summary>
    /// <param name="pool">The pool of all sequences.</param>
    public PagedBatch(KeyValuePagePool pool)
        : base((pool ?? throw new ArgumentNullException(nameof(pool))).KeyValueHeads, pool.HeadDim, pool.ValueDim, pool.KeyElement, pool.ValueElement) => Pool = pool;

    /// <summary>The pool of all sequences.</summary>
    public KeyValuePagePool Pool { get; }

    /// <summary>B: the sequences, in the order of queries and outputs.</summary>
    public int Count => _sequences.Count;

    /// <summary>The same: <see cref="Count"/>.</summary>
    public override int Batch => Count;

    /// <summary>Tokens of the longest sequence: the key length L_k that masks and biases of an attention refer to. It includes tokens that a window has left behind.</summary>
    public override int MaxLength
    {
        get
        {
            int max = 0;
            foreach (PagedSequence sequence in _sequences)
                max = Math.Max(max, sequence.Length);
            return max;
        }
    }

    /// <summary>
    /// Whether an attention reads the pages that all sequences begin with once for the queries of all of them, instead of once for each sequence (cascade attention,
    /// arXiv 2501.01005, §3.1.2). False by default.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Forks of one prompt share its pages. With this set, all queries attend over the shared pages in one call, each sequence's queries attend over its other tokens in a second
    /// one, and the two states merge as in <see cref="AttentionOutput.Merge"/>: as accurate as the usual call, but with other bits, since sums are taken in a different
    /// order. The bits are the same whenever the same batch has the same queries, for any number of threads, but depend on which sequences are in the batch. A sink is
    /// counted once.
    /// </para>
    /// <para>
    /// Shared are whole pages, from the first on, that every sequence with queries has and every one of its queries sees to the end. The usual call is made if
    /// these have fewer than 96 tokens, if fewer than two sequences have queries, if a sequence with queries has evicted tokens, or if the options have a window,
    /// masks or ALiBi.
    /// </para>
    /// <para>The batch keeps memory for the state of the shared pages: at most as many floats as queries, outputs and three log-sum-exps have, and as many as the outputs once more if these have 16 bits.</para>
    /// </remarks>
    public bool SharesPrefix { get; set; }

    /// <inheritdoc/>
    internal override ReadOnlySpan<int> Starts => _starts.AsSpan(0, Count);

    /// <inheritdoc/>
    internal override ReadOnlySpan<int> Positions => _positions.AsSpan(0, Count);

    /// <summary>A sequence.</summary>
    /// <param name="index">0 to <see cref="Count"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is none at the index.</exception>
    public PagedSequence this[int index] => _sequences[index];

    /// <summary>Adds a sequence at the end.</summary>
    /// <param name="sequence">A sequence of the pool that the batch does not have yet.</param>
    /// <exception cref="ArgumentException">The sequence is null, of another pool, or in the batch already.</exception>
    /// <exception cref="ObjectDisposedException">The sequence has been disposed of.</exception>
    public void Add(PagedSequence sequence)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        sequence.ThrowIfDisposed();
        if (sequence.Pool != Pool)
            throw new ArgumentException("Is of another pool than the batch.", nameof(sequence));
        if (_sequences.Contains(sequence))
            throw new ArgumentException("Is in the batch already; a fork of it takes no page.", nameof(sequence));
        _sequences.Add(sequence);
    }

    /// <summary>Removes a sequence; those after it move up. Its tokens stay as they are.</summary>
    /// <param name="index">0 to <see cref="Count"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is none at the index.</exception>
    public void RemoveAt(int index) => _sequences.RemoveAt(index);

    /// <summary>Removes all sequences.</summary>
    public void Clear() => _sequences.Clear();

    /// <summary>
    /// Gives each sequence the tokens that another, or itself, had before: sequence <c>b</c> becomes what <c>sources[b]</c> was. A source may serve several
    /// sequences or none, as in a beam search (Hugging Face's <c>reorder_cache(beam_idx)</c>).
    /// </summary>
    /// <param name="sources">[B]: for each sequence its source, 0 to B − 1.</param>
    /// <remarks>
    /// The sequences then share pages, as forks do: only the floats that <see cref="AttentionElement.Int4"/> keeps are copied, no page is taken, and pages that no sequence has any
    /// more become free. It counts as a change of each sequence.
    /// </remarks>
    /// <exception cref="ArgumentException">There are not as many sources as sequences, or one is not a sequence; nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">A sequence has been disposed of; nothing has changed.</exception>
    public void Reorder(ReadOnlySpan<int> sources)
    {
        CheckSources(sources);
        for (int b = 0; b < Count; b++)
            _sequences[b].ThrowIfDisposed(b);

        // All memory is allocated before anything changes.
        for (int b = 0; b < Count; b++)
            _sequences[b].MakeRoom(_sequences[sources[b]].Pages.Length + 1);
        MoveFrom(sources);
    }

    /// <inheritdoc/>
    internal override int LengthAfter(in BatchTokens tokens, string name)
    {
        int longest = 0;
        for (int b = 0; b < Count; b++)
        {
            _sequences[b].ThrowIfDisposed(b);
            _sequences[b].CheckTokens(tokens.LengthOf(b), name);
            longest = Math.Max(longest, _sequences[b].Length + tokens.LengthOf(b));
        }

        return longest;
    }

    /// <inheritdoc/>
    internal override void CheckLength(int length, string name)
    {
        // A prefix that is read separately makes the table shorter; by how much, only the attention finds out.
        if (!SharesPrefix)
            _ = TableSize(WidthOf(length), name);
    }

    /// <inheritdoc/>
    internal override void CheckQueries(in AttentionOptions options, in BatchTokens queries, bool areAppended)
    {
        for (int b = 0; b < Count; b++)
        {
            _sequences[b].ThrowIfDisposed(b);
            int offset = areAppended ? _sequences[b].Length : options.PositionOffset ?? (options.PositionOffsets.IsEmpty ? 0 : options.PositionOffsets[b]);
            if (queries.LengthOf(b) > 0)
                CheckSeen(b, offset, options.Window);
        }
    }

    /// <inheritdoc/>
    internal override void Begin(in BatchTokens tokens)
    {
        base.Begin(tokens);
        MakeRoom(ref _starts, Count);
        MakeRoom(ref _positions, Count);
        Pool.Hold();
        bool isDone = false;
        _begun = 0;
        try
        {
            // The error should say what all sequences need. Other threads may take pages after that check; then it says what the sequence needs that found too few.
            long needed = 0;
            for (int b = 0; b < Count; b++)
                needed += _sequences[b].PagesNeeded(tokens.LengthOf(b));
            Pool.References.CheckFree(needed);
            for (; _begun < Count; _begun++)
            {
                PagedSequence sequence = _sequences[_begun];
                (_starts[_begun], _positions[_begun]) = (sequence.Length, sequence.NextPosition);
                sequence.BeginAppend(tokens.LengthOf(_begun));
            }

            isDone = true;
        }
        finally
        {
            if (!isDone)
                Abandon();
        }
    }

    /// <inheritdoc/>
    internal override void Commit()
    {
        for (int b = 0; b < _begun; b++)
            _sequences[b].CommitAppend();
        Pool.Release();
    }

    /// <inheritdoc/>
    internal override void Abandon()
    {
        for (int b = 0; b < _begun; b++)
            _sequences[b].AbandonAppend();
        Pool.Release();
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
        const AttentionLayout Layout = AttentionLayout.BatchLengthHeadDim;
        AttentionKernel kernel = kernels.Featured;
        AttentionOptions complete = Complete(kernel.Mask, output, options, queryHeads, queryLength, Layout, SharesPrefix, out AttentionShape shape, out ReadOnlySpan<int> prefix);
        Run(kernel, query, output, shape, complete, execution, prefix);
        if (weights.IsEmpty)
            return;
        complete = Complete(kernel.Mask, output, options, queryHeads, queryLength, Layout, mayShare: false, out shape, out _);
        using PageMemoryUse use = Pool.Use();
        kernel.ComputeWeights(query, Pool.Keys, weights, shape, complete, execution);
    }

    /// <inheritdoc/>
    private protected override void Attend(
        AttentionKernel? kernel,
        AttentionMask mask,
        in AttentionInput query,
        in AttentionOutput output,
        int queryHeads,
        int queryLength,
        in AttentionOptions options,
        AttentionLayout layout,
        AttentionExecution execution)
    {
        AttentionOptions complete = Complete(mask, output, options, queryHeads, queryLength, layout, SharesPrefix, out AttentionShape shape, out ReadOnlySpan<int> prefix);
        Run(kernel ?? KernelFor(mask, complete), query, output, shape, complete, execution, prefix);
    }

    /// <inheritdoc/>
    private protected override (int Token, string Reason)? TryWriteKeys(int sequence, int token, in NewRows keys) => _sequences[sequence].WriteKeys(token, keys);

    /// <inheritdoc/>
    private protected override (int Token, string Reason)? TryWriteValues(int sequence, int token, in NewRows values) => _sequences[sequence].WriteValues(token, values);

    /// <inheritdoc/>
    private protected override void Copy(int from, int to) => _sequences[to].CopyFrom(_sequences[from]);

    /// <inheritdoc/>
    private protected override void Swap(int one, int other) => _sequences[one].Swap(_sequences[other]);

    private static void MakeRoom(ref int[] buffer, int count)
    {
        if (buffer.Length < count)
            buffer = new int[Math.Max(count, (int)Math.Min(2L * buffer.Length, Array.MaxLength))];
    }

    private void Run(
        AttentionKernel kernel,
        in AttentionInput query,
        in AttentionOutput output,
        AttentionShape shape,
        in AttentionOptions options,
        AttentionExecution execution,
        ReadOnlySpan<int> prefix)
    {
        using PageMemoryUse use = Pool.Use();
        if (!prefix.IsEmpty)
            (_prefix ??= new(Pool)).Attend(kernel, query, output, shape, options, execution, prefix);
        else if (Count > 0)
            kernel.Forward(query, Pool.Keys, Pool.Values, output, shape, options, execution);
    }

    /// <summary>
    /// The options and the shape of the call, completed by the batch; the table of pages is filled. If a prefix is read separately, they are for the tokens after it.
    /// </summary>
    private AttentionOptions Complete(
        AttentionMask mask,
        in AttentionOutput output,
        in AttentionOptions options,
        int queryHeads,
        int queryLength,
        AttentionLayout layout,
        bool mayShare,
        out AttentionShape shape,
        out ReadOnlySpan<int> prefix)
    {
        CheckCount(options.QueryLengths, Count, nameof(options.QueryLengths));
        CheckCount(options.QueryStarts, Count + 1, nameof(options.QueryStarts));
        CheckCount(options.PositionOffsets, Count, nameof(options.PositionOffsets));

        FillLengths();
        FillOffsets(options, queryLength, hasPositions: mask == AttentionMask.Causal || options.Window is not null || !options.AlibiSlopes.IsEmpty);
        mayShare = mayShare && SharedPrefix.IsPossible(options) && SharedPrefix.HasRoom(output, Count, queryHeads, queryLength, Pool, options);
        prefix = mayShare ? PrefixOf(mask, options, queryLength) : [];
        int keys = SkipPrefix(prefix.Length), width = FillTable(prefix.Length, keys);
        shape = new(Count, queryHeads, Pool.KeyValueHeads, queryLength, keys) { Layout = layout };
        AttentionOptions complete = options with
        {
            KeyPages = new AttentionPages(_table.AsSpan(0, Count * width), Pool.PageSize),
            KeyLengths = _lengths.AsSpan(0, Count),
            IsCrossAttention = true,
            HasCachedKeys = true,
        };
        return prefix.IsEmpty && HasOffsets(options) ? complete : complete with { PositionOffset = null, PositionOffsets = _offsets.AsSpan(0, Count) };
    }

    /// <summary>Entries of the table, of which each sequence has as many as the longest one.</summary>
    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private int TableSize(long width, string name)
    {
        if (Count * width > Array.MaxLength)
            throw new ArgumentException($"The batch has {Count} sequences, and the pages of the longest one for each of them are too many for one table: {Count * width} numbers. Use more than one batch.", name);
        return (int)(Count * width);
    }

    private void FillLengths()
    {
        MakeRoom(ref _lengths, Count);
        MakeRoom(ref _offsets, Count);
        for (int b = 0; b < Count; b++)
        {
            _sequences[b].ThrowIfDisposed(b);
            _lengths[b] = _sequences[b].Length;
        }
    }

    /// <summary>The pages that all sequences with queries begin with and all these queries see to the end; none if reading them separately would not pay.</summary>
    private ReadOnlySpan<int> PrefixOf(AttentionMask mask, in AttentionOptions options, int queryLength)
    {
        ReadOnlySpan<int> prefix = [];
        int sharers = 0;
        for (int b = 0; b < Count; b++)
        {
            int queries = QueriesOf(b, options, queryLength);
            if (queries <= 0)
                continue;
            if (_sequences[b].EvictedTokens > 0)
                return [];

            // The first query of a sequence sees the fewest keys.
            long seen = mask == AttentionMask.Causal ? Math.Min(_lengths[b], _offsets[b] + 1L) : _lengths[b];
            ReadOnlySpan<int> pages = _sequences[b].Pages[..(int)(Math.Max(0, seen) / Pool.PageSize)];
            prefix = sharers++ == 0 ? pages : pages[..pages.CommonPrefixLength(prefix)];
        }

        return sharers > 1 && (long)prefix.Length * Pool.PageSize >= SharedPrefix.MinTokens ? prefix : [];
    }

    /// <summary>Leaves only the tokens after a prefix; returns how many the longest sequence has.</summary>
    private int SkipPrefix(int pages)
    {
        int tokens = pages * Pool.PageSize, max = 0;
        for (int b = 0; b < Count; b++)
        {
            _lengths[b] = Math.Max(0, _lengths[b] - tokens);

            // If the difference overflows, the sequence has no queries, or positions do not matter.
            _offsets[b] = (int)Math.Max(int.MinValue, (long)_offsets[b] - tokens);
            max = Math.Max(max, _lengths[b]);
        }

        return max;
    }

    /// <summary>How many pages a sequence has in the table if the longest one has the given number of keys.</summary>
    private int WidthOf(int keys) => Math.Max(1, (int)(((long)keys + Pool.PageSize - 1) / Pool.PageSize));

    /// <summary>Fills the table with the pages after a prefix; returns how many a sequence has at most, at least 1.</summary>
    private int FillTable(int prefixPages, int keys)
    {
        int width = WidthOf(keys);
        MakeRoom(ref _table, TableSize(width, "this"));
        for (int b = 0; b < Count; b++)
        {
            PagedSequence sequence = _sequences[b];
            ReadOnlySpan<int> pages = sequence.Pages;
            Span<int> row = _table.AsSpan(b * width, width);
            int evicted = sequence.EvictedTokens / Pool.PageSize;

            // A sequence without pages has no token that a query may see; any page can fill the entries that it lacks.
            row.Fill(pages.IsEmpty ? 0 : pages[0]);
            int skipped = Math.Max(0, prefixPages - evicted), first = Math.Max(0, evicted - prefixPages);
            if (skipped < pages.Length)
                pages[skipped..].CopyTo(row[first..]);
        }

        return width;
    }

    /// <summary>Fills in the offset of each sequence, and refuses queries that would see evicted tokens.</summary>
    private void FillOffsets(in AttentionOptions options, int queryLength, bool hasPositions)
    {
        bool isGiven = HasOffsets(options);
        for (int b = 0; b < Count; b++)
        {
            int queries = QueriesOf(b, options, queryLength);
            int offset = options.PositionOffset ?? (isGiven ? options.PositionOffsets[b] : _lengths[b] - queries);
            _offsets[b] = offset;
            if (queries <= 0 || _lengths[b] == 0)
                continue;
            if (hasPositions && !isGiven && offset < 0)
                throw new ArgumentException($"Sequence {b} has {queries} queries but {_lengths[b]} tokens. Append the tokens before they are attended from, or set PositionOffset (PositionOffsets for each sequence).", nameof(options));
            CheckSeen(b, offset, options.Window);
        }
    }

    /// <summary>Refuses a sequence whose first query would see an evicted token, which a window should have left behind.</summary>
    [SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the public method's parameter.")]
    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckSeen(int sequence, int offset, AttentionWindow? window)
    {
        int evicted = _sequences[sequence].EvictedTokens;
        long first = window?.Left is { } left ? Math.Max(0, (long)offset - left) : 0;
        if (first < evicted)
            throw new ArgumentException($"The first query of sequence {sequence} would see token {first}, but those before {evicted} have been evicted: a window must hide them.", "options");
    }

    private static int QueriesOf(int sequence, in AttentionOptions options, int queryLength)
    {
        if (!options.QueryStarts.IsEmpty)
            return options.QueryStarts[sequence + 1] - options.QueryStarts[sequence];
        return options.QueryLengths.IsEmpty ? queryLength : options.QueryLengths[sequence];
    }

    private static bool HasOffsets(in AttentionOptions options) => options.PositionOffset is not null || !options.PositionOffsets.IsEmpty;

    [SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the public method's parameter.")]
    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private static void CheckCount(ReadOnlySpan<int> numbers, int count, string property)
    {
        if (!numbers.IsEmpty && numbers.Length != count)
            throw new ArgumentException($"{property} has {numbers.Length} elements; {count} are needed.", "options");
    }
}
