using System;
using System.Threading;

namespace FastAttn;

/// <summary>
/// The keys and values of a batch of sequences that a <see cref="MultiHeadAttention"/> layer keeps between calls: in one piece for each sequence
/// (<see cref="KeyValueCache"/>), or in pages (<see cref="PagedBatch"/>). Both keep any element type, and also work without a layer.
/// </summary>
/// <remarks>
/// <para>
/// <see cref="AttentionElement.Int4"/> rounds spans of 32 tokens together, counted from a sequence's first. Until a span is full, each append rounds its tokens again from their floats. A full
/// span has the bits that <see cref="KeyValueQuantizer.QuantizePerChannelOver32Tokens"/> gives its tokens together, however they were appended, and does not change any more; what a query sees of the
/// open span, where the next token goes, depends on how many tokens it had when the query ran.
/// </para>
/// <para>
/// For this, for keys and for values of that type, each sequence keeps the floats of the open span and of the one before, room for those of the next, [3, 32, H_kv, d], and what is stored of
/// the open span: 404·H_kv·d bytes in all. From the first append that ends two spans or more while there are floats of the span before, it keeps 128·H_kv·d bytes more, so that these survive if an append is refused.
/// So a sequence that is shortened to a length in either span goes on as if the other tokens had never been there. Further back, or if it was already shortened into the span before, or tokens of
/// that span have moved or been removed (<see cref="KeyValueCache.Retain"/>, <see cref="PagedSequence.EvictBetween"/>), it goes on from the stored numbers: those of the span that it ends in are rounded a second time
/// when tokens are appended. Copies of a sequence copy these floats.
/// </para>
/// </remarks>
public abstract class AttentionCache
{
    // During a reordering: how many sequences still read this one; −1 once it is done.
    private int[] _readers = [];

    private string? _whyKeysRefused;
    private string? _whyValuesRefused;

    private protected AttentionCache(int keyValueHeads, int headDim, int valueDim, AttentionElement keyElement, AttentionElement valueElement) =>
        (KeyValueHeads, HeadDim, ValueDim, KeyElement, ValueElement) = (keyValueHeads, headDim, valueDim, keyElement, valueElement);

    /// <summary>Sequences B.</summary>
    public abstract int Batch { get; }

    /// <summary>Key-value heads H_kv.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Head dimension d_k.</summary>
    public int HeadDim { get; }

    /// <summary>Value dimension d_v.</summary>
    public int ValueDim { get; }

    /// <summary>The element type of keys.</summary>
    public AttentionElement KeyElement { get; }

    /// <summary>The element type of values.</summary>
    public AttentionElement ValueElement { get; }

    /// <summary>Tokens of the longest sequence: the key length L_k that masks and biases of an attention refer to.</summary>
    public abstract int MaxLength { get; }

    /// <summary>[B]: the index of the first token that the append in progress gives each sequence.</summary>
    internal abstract ReadOnlySpan<int> Starts { get; }

    /// <summary>[B]: the position of that token.</summary>
    internal abstract ReadOnlySpan<int> Positions { get; }

    /// <summary>
    /// Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> over the stored tokens of each sequence, like <see cref="AttentionKernel.Forward"/> and with the same bits
    /// unless <see cref="PagedBatch.SharesPrefix"/> is set.
    /// </summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the layout says, or at strides; ragged (<see cref="AttentionOptions.QueryStarts"/>) [H, T, d_k] or [T, H, d_k].</param>
    /// <param name="output">O, written: as the queries, with d_v in place of d_k; with or without log-sum-exp.</param>
    /// <param name="queryHeads">H: a multiple of <see cref="KeyValueHeads"/>.</param>
    /// <param name="queryLength">L_q: queries of each sequence; if some have fewer, the most of a sequence.</param>
    /// <param name="mask">
    /// Whether a query sees all keys or those up to its own index. The default is causal, unlike in
    /// <see cref="ScaledDotProductAttention"/>: sequences that are appended to are texts that continue, and the queries are their last tokens.
    /// </param>
    /// <param name="options">
    /// What else is computed. The lengths of keys are those of the sequences and must not be given. Masks and biases have <see cref="MaxLength"/> keys. Unless a
    /// position offset is given, the queries of a sequence are its last tokens, which have already been appended. Offsets, windows and ALiBi use indices, which
    /// <see cref="PagedSequence.EvictBetween"/> makes smaller.
    /// </param>
    /// <param name="layout">
    /// The order of the axes of query and output. Queries of several tokens in the order of appended keys, [tokens, heads, dim] of each sequence, need
    /// <see cref="AttentionLayout.BatchLengthHeadDim"/>.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <exception cref="ArgumentException">
    /// A length, stride or size does not fit, buffers overlap, a sequence has fewer tokens than queries where that matters, a query would see a token that has
    /// been evicted, or a table of pages would be longer than an array can be; the parameter is named, <c>this</c> for the table, and nothing has been written.
    /// </exception>
    /// <exception cref="ObjectDisposedException">A paged sequence or its pool has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">Cancelled (<see cref="AttentionExecution.CancellationToken"/>).</exception>
    public void Attend(
        AttentionInput query,
        AttentionOutput output,
        int queryHeads,
        int queryLength,
        AttentionMask mask = AttentionMask.Causal,
        in AttentionOptions options = default,
        AttentionLayout layout = AttentionLayout.BatchHeadLengthDim,
        AttentionExecution execution = default)
    {
        CheckCall(options, queryHeads, queryLength, layout);
        Attend(kernel: null, mask, query, output, queryHeads, queryLength, options, layout, execution);
    }

    /// <summary>As the other overload, with a kernel that is declared for the stored dimensions and has the mask.</summary>
    /// <param name="kernel">A kernel of this head dimension and value dimension, with <see cref="AttentionFeatures.Lengths"/> and whatever else the call uses.</param>
    /// <param name="query">Q.</param>
    /// <param name="output">O, written.</param>
    /// <param name="queryHeads">H: a multiple of <see cref="KeyValueHeads"/>.</param>
    /// <param name="queryLength">L_q: queries of each sequence; if some have fewer, the most of a sequence.</param>
    /// <param name="options">What else is computed.</param>
    /// <param name="layout">The order of the axes of query and output.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="Attend(AttentionInput, AttentionOutput, int, int, AttentionMask, in AttentionOptions, AttentionLayout, AttentionExecution)" path="/exception"/>
    public void Attend(
        AttentionKernel kernel,
        AttentionInput query,
        AttentionOutput output,
        int queryHeads,
        int queryLength,
        in AttentionOptions options = default,
        AttentionLayout layout = AttentionLayout.BatchHeadLengthDim,
        AttentionExecution execution = default)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        if (kernel.HeadDim != HeadDim || kernel.ValueDim != ValueDim)
            throw new ArgumentException($"Is of head dimension {kernel.HeadDim} and value dimension {kernel.ValueDim}; the stored keys and values have {HeadDim} and {ValueDim}.", nameof(kernel));
        CheckCall(options, queryHeads, queryLength, layout);
        Attend(kernel, kernel.Mask, query, output, queryHeads, queryLength, options, layout, execution);
    }

    /// <summary>The tokens of the longest sequence after an append.</summary>
    /// <param name="tokens">The tokens to be appended.</param>
    /// <param name="name">The parameter that says how many tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">A position would not be an <see cref="int"/>.</exception>
    /// <exception cref="InvalidOperationException">A cache of one piece has no room for them.</exception>
    internal abstract int LengthAfter(in BatchTokens tokens, string name);

    /// <summary>Refuses a length for which no attention over all sequences is possible.</summary>
    /// <param name="length">Tokens of the longest sequence.</param>
    /// <param name="name">The parameter that has the cache.</param>
    internal abstract void CheckLength(int length, string name);

    /// <summary>Refuses queries that would see evicted tokens.</summary>
    /// <param name="options">What the attention computes, already checked.</param>
    /// <param name="queries">The queries.</param>
    /// <param name="areAppended">Whether their tokens are appended by the call.</param>
    internal abstract void CheckQueries(in AttentionOptions options, in BatchTokens queries, bool areAppended);

    /// <summary>
    /// Makes room for tokens, which count from now on, until <see cref="Commit"/> or <see cref="Abandon"/>. Earlier refusals by <see cref="WriteKeys"/> are forgotten.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is no room; nothing has changed.</exception>
    internal virtual void Begin(in BatchTokens tokens) => (_whyKeysRefused, _whyValuesRefused) = (null, null);

    /// <summary>How many tokens of the append in progress are written together.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="token">The first token's number in the append.</param>
    /// <param name="count">How many tokens there are from that one on, at least 1.</param>
    internal int Together(int sequence, int token, int count) => OpenGroup.Together(KeyElement, ValueElement, Starts[sequence] + token, count);

    /// <summary>Rounds the keys of tokens to the stored type; those that cannot be stored are refused, which <see cref="ThrowIfRefused"/> reports.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="token">
    /// The first token's number in the append in progress. Any number of threads may each write their own tokens. Those that are written together (<see cref="Together"/>) are written in one call.
    /// </param>
    /// <param name="keys">[tokens, H_kv, d_k].</param>
    internal void WriteKeys(int sequence, int token, in NewRows keys)
    {
        if (TryWriteKeys(sequence, token, keys) is { } refused)
            Interlocked.CompareExchange(ref _whyKeysRefused, $"Sequence {sequence}, token {token + refused.Token}, {refused.Reason}", null);
    }

    /// <summary>As <see cref="WriteKeys"/>, for values.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="token">The first token's number in the append in progress.</param>
    /// <param name="values">[tokens, H_kv, d_v].</param>
    internal void WriteValues(int sequence, int token, in NewRows values)
    {
        if (TryWriteValues(sequence, token, values) is { } refused)
            Interlocked.CompareExchange(ref _whyValuesRefused, $"Sequence {sequence}, token {token + refused.Token}, {refused.Reason}", null);
    }

    /// <summary>Throws if keys or values of the append were refused.</summary>
    /// <param name="keyName">The parameter that keys come from.</param>
    /// <param name="valueName">The parameter that values come from.</param>
    internal void ThrowIfRefused(string keyName, string valueName)
    {
        if (Volatile.Read(ref _whyKeysRefused) is { } keyReason)
            throw CachedRows.Refusal("key", KeyElement, keyReason, keyName);
        if (Volatile.Read(ref _whyValuesRefused) is { } valueReason)
            throw CachedRows.Refusal("value", ValueElement, valueReason, valueName);
    }

    /// <summary>Ends an append whose rows have all been written.</summary>
    internal abstract void Commit();

    /// <summary>Undoes an append.</summary>
    internal abstract void Abandon();

    /// <summary>Attends over all tokens, including those of an append in progress.</summary>
    /// <param name="kernels">The layer's kernels.</param>
    /// <param name="query">Q: [B, L, H, d_k], or [T, H, d_k].</param>
    /// <param name="output">O, written, likewise.</param>
    /// <param name="weights">Written: [B, H, L_q, L_k], the weights of the softmax; empty if they are not requested.</param>
    /// <param name="queryHeads">H.</param>
    /// <param name="queryLength">L_q; a bound if queries are ragged.</param>
    /// <param name="options">What is computed, with an offset, and without anything that says where keys are.</param>
    /// <param name="execution">How it runs.</param>
    internal abstract void Attend(
        KernelPair kernels,
        ReadOnlySpan<float> query,
        Span<float> output,
        Span<float> weights,
        int queryHeads,
        int queryLength,
        in AttentionOptions options,
        AttentionExecution execution);

    /// <summary>As the public overloads, with checked arguments; the call is completed by what is stored.</summary>
    /// <param name="kernel">The kernel; null for one of the library's own.</param>
    /// <param name="mask">The mask, which the kernel has.</param>
    /// <param name="query">Q.</param>
    /// <param name="output">O, written.</param>
    /// <param name="queryHeads">H.</param>
    /// <param name="queryLength">L_q.</param>
    /// <param name="options">What else is computed.</param>
    /// <param name="layout">The order of the axes of query and output.</param>
    /// <param name="execution">How it runs.</param>
    private protected abstract void Attend(
        AttentionKernel? kernel,
        AttentionMask mask,
        in AttentionInput query,
        in AttentionOutput output,
        int queryHeads,
        int queryLength,
        in AttentionOptions options,
        AttentionLayout layout,
        AttentionExecution execution);

    /// <summary>The library's own kernel for a completed call.</summary>
    private protected AttentionKernel KernelFor(AttentionMask mask, in AttentionOptions complete) => ScaledDotProductAttention.GetKernel(HeadDim, mask, complete.UsedFeatures, ValueDim);

    /// <summary>Refuses what no call over stored keys and values can have.</summary>
    private void CheckCall(in AttentionOptions options, int queryHeads, int queryLength, AttentionLayout layout)
    {
        if (queryHeads < 1 || queryHeads % KeyValueHeads != 0)
            throw new ArgumentOutOfRangeException(nameof(queryHeads), queryHeads, $"Must be a positive multiple of the {KeyValueHeads} key-value heads.");
        ArgumentOutOfRangeException.ThrowIfNegative(queryLength);
        if (layout is not (AttentionLayout.BatchHeadLengthDim or AttentionLayout.BatchLengthHeadDim))
            throw new ArgumentOutOfRangeException(nameof(layout), layout, "The layout is not defined.");
        if (!options.KeyLengths.IsEmpty || !options.KeyStarts.IsEmpty || options.KeyPages.IsGiven || options.KeyPart is not null)
            throw new ArgumentException("The stored tokens say where keys are: KeyLengths, KeyStarts, KeyPages and KeyPart must not be given.", nameof(options));
    }

    /// <summary>Refuses sources of a reordering if there are not as many as sequences, or one is not a sequence.</summary>
    private protected void CheckSources(ReadOnlySpan<int> sources)
    {
        if (sources.Length != Batch)
            throw new ArgumentException($"Has {sources.Length} elements; expected {Batch}, one for each sequence.", nameof(sources));
        foreach (int source in sources)
        {
            if (source < 0 || source >= Batch)
                throw new ArgumentOutOfRangeException(nameof(sources), source, $"Sources must be 0 to {Batch - 1}.");
        }
    }

    /// <summary>Gives each sequence the tokens of its source: each with another source is copied to at most once, or swapped if sources form a cycle.</summary>
    /// <param name="sources">[B], checked.</param>
    private protected void MoveFrom(ReadOnlySpan<int> sources)
    {
        if (_readers.Length < Batch)
            Array.Resize(ref _readers, Math.Max(Batch, 2 * _readers.Length));
        Array.Clear(_readers);
        foreach (int source in sources)
            _readers[source]++;

        // A sequence that no other reads any more is overwritten, which may put its source in the same state.
        for (int first = 0; first < sources.Length; first++)
        {
            for (int b = first; _readers[b] == 0; b = sources[b])
            {
                Copy(sources[b], b);
                _readers[b] = -1;
                _readers[sources[b]]--;
            }
        }

        // Only cycles are left: each sequence has one reader. Swaps pass the tokens of the first on to the last of a cycle.
        for (int first = 0; first < sources.Length; first++)
        {
            for (int b = first; _readers[b] > 0; b = sources[b])
            {
                _readers[b] = -1;
                if (sources[b] != first)
                    Swap(b, sources[b]);
            }
        }
    }

    /// <summary>Copies the tokens of a sequence over those of another, which has room for them.</summary>
    private protected abstract void Copy(int from, int to);

    /// <summary>Exchanges the tokens of two sequences.</summary>
    private protected abstract void Swap(int one, int other);

    /// <summary>Rounds the keys of tokens, as <see cref="CachedRows.Write"/> does.</summary>
    private protected abstract (int Token, string Reason)? TryWriteKeys(int sequence, int token, in NewRows keys);

    /// <summary>Rounds the values of tokens, likewise.</summary>
    private protected abstract (int Token, string Reason)? TryWriteValues(int sequence, int token, in NewRows values);
}
