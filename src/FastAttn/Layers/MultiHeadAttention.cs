using System;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Multi-head attention with its projections: <c>MultiHead(Q, K, V) = Concat(head_1, …, head_h)·W_O + b_O</c> where
/// <c>head_i = Attention(Q·W_Qi + b_Qi, K·W_Ki + b_Ki, V·W_Vi + b_Vi)</c> ("Attention Is All You Need", arXiv 1706.03762, §3.2.2).
/// </summary>
/// <remarks>
/// <para>
/// Weights are packed once, when a layer is made. Layers are immutable: any number of threads may call one at once, each with its
/// own cache. Results are bit-identical for any number of threads. After the first call nothing is
/// allocated on the managed heap, except by a cache that grows and by a rotary embedding that meets new positions.
/// </para>
/// <para>
/// What the layer always computes is in <see cref="MultiHeadAttentionOptions"/>: mask, scale, softcap and window, which a call's
/// <see cref="AttentionOptions"/> must therefore leave out. What differs from call to call is in the latter: lengths or starts, offsets, masks, biases and sinks.
/// </para>
/// <para>
/// <b>Indices.</b> Query <c>i</c> of sequence <c>b</c> has the position of key <c>i + offset</c>, and the offset is:
/// </para>
/// <list type="table">
/// <listheader><term>call</term><description>offset of sequence <c>b</c></description></listheader>
/// <item><term>self-attention, attention to another input, <see cref="Attend"/></term><description><see cref="AttentionOptions.PositionOffset"/> or <see cref="AttentionOptions.PositionOffsets"/><c>[b]</c>, else 0.</description></item>
/// <item><term>with a cache</term><description>the number of the sequence's tokens in the cache before the call.</description></item>
/// </list>
/// <para>
/// A causal mask shows the query the keys <c>j &lt;= i + offset</c>, a window those from <c>i + offset − Left</c> to
/// <c>i + offset + Right</c>, and ALiBi adds <c>−slope·|i + offset − j|</c>. Padding changes no offset: each sequence is as if alone.
/// </para>
/// <para>
/// <b>Ragged batches.</b> With <see cref="AttentionOptions.QueryStarts"/> the sequences of a call follow each other without padding: with T for the
/// last start, inputs are [T, d_in], outputs [T, d_model] and positions [A, T], and projections run over these T tokens. The call's lengths are
/// then bounds, like those of an <see cref="AttentionShape"/> in a kernel's ragged call: no sequence may be longer, and a mask has them as its L_q and
/// L_k. Offsets and positions count from the start of a token's own sequence, and each sequence has the bits that it has alone. An input of keys needs
/// <see cref="AttentionOptions.KeyStarts"/>, in self-attention the same as those of the queries; if keys come from a cache or memory, starts of keys are refused.
/// Weights of the softmax exist only for padded calls: a ragged call that requests them is refused.
/// </para>
/// <para>
/// <b>Positions.</b> The rotary embedding rotates query <c>i</c> by the position <c>i + offset</c> and key <c>j</c> by <c>j</c>, or both by the
/// positions that a call gives: [A, B, L], or [A, T] of ragged batches, an <c>int</c> of at least 0 for each of the embedding's <see cref="RotaryEmbedding.Axes"/> A and
/// each token. With a <see cref="PagedBatch"/>, appended tokens have the positions from <see cref="PagedSequence.NextPosition"/> on unless others are given. A cached key keeps the
/// position with which it was appended. Positions change nothing but the rotary embedding: a causal mask,
/// a window and ALiBi use indices.
/// </para>
/// <para>
/// So a tree of drafts needs both positions, equal for siblings, and a mask as a tensor that shows each draft the tokens before the
/// tree, its ancestors and itself. The layer's own mask is <see cref="AttentionMask.None"/>, or <see cref="AttentionMask.Causal"/> if every draft
/// follows its ancestors. <see cref="KeyValueCache.Retain"/> keeps the accepted branch. Several documents in one sequence
/// need the same two.
/// </para>
/// <para>
/// Inputs and outputs are dense: a token's row is contiguous, rows follow each other, then sequences. Shapes below are those of padded calls. An output may be an input, but
/// must not overlap a buffer of the options. Buffers may be longer than needed.
/// </para>
/// </remarks>
public sealed class MultiHeadAttention
{
    private readonly MultiHeadAttentionOptions _options;
    private readonly MultiHeadDimensions _sizes;
    private readonly HeadNorm? _queryNorm;
    private readonly HeadNorm? _keyNorm;
    private readonly PackedProjections _projections;
    private readonly ProductDriver _product;
    private readonly KernelPair _kernels;

    // One layer per instruction set, made when requested; shared by all of them.
    private readonly MultiHeadAttention?[] _bound;

    /// <summary>Packs the weights.</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="weights">Its weights; not needed afterwards.</param>
    /// <exception cref="ArgumentException">
    /// A size or a length does not fit, or a weight cannot be kept as the options say; the message says what was expected.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    public MultiHeadAttention(MultiHeadAttentionOptions options, in MultiHeadAttentionWeights weights)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _sizes = MultiHeadDimensions.Of(options);
        InstructionSet = InstructionSets.Default;
        _product = ProductDriver.For(InstructionSet);
        (_queryNorm, _keyNorm) = HeadNorm.Of(weights, options, _sizes);
        _projections = PackedProjections.Of(weights, _sizes, _product, options.WeightPrecision);
        _kernels = new(Kernel(AttentionFeatures.None), Kernel(AttentionFeatures.All));
        _bound = new MultiHeadAttention?[Enum.GetValues<InstructionSet>().Length];
        _bound[(int)InstructionSet] = this;
    }

    private MultiHeadAttention(MultiHeadAttention other, InstructionSet instructionSet)
    {
        _options = other._options;
        _sizes = other._sizes;
        InstructionSet = instructionSet;
        _product = ProductDriver.For(instructionSet);
        _projections = other._projections.For(_product);
        _queryNorm = other._queryNorm;
        _keyNorm = other._keyNorm;
        _kernels = new(Kernel(AttentionFeatures.None), Kernel(AttentionFeatures.All));
        _bound = other._bound;
    }

    /// <summary>What the layer is.</summary>
    public MultiHeadAttentionOptions Options => _options;

    /// <summary>The instruction set that this instance runs on.</summary>
    public InstructionSet InstructionSet { get; }

    /// <summary>This layer on another instruction set than the default, as tests and benchmarks need it; packs the weights again.</summary>
    /// <param name="instructionSet">One of <see cref="InstructionSets.Supported"/>.</param>
    /// <returns>The same instance for every call.</returns>
    /// <exception cref="PlatformNotSupportedException">This process cannot run <paramref name="instructionSet"/>.</exception>
    public MultiHeadAttention For(InstructionSet instructionSet)
    {
        InstructionSets.ThrowIfNotSupported(instructionSet);
        ref MultiHeadAttention? slot = ref _bound[(int)instructionSet];
        if (Volatile.Read(ref slot) is { } bound)
            return bound;
        MultiHeadAttention layer = new(this, instructionSet);
        return Interlocked.CompareExchange(ref slot, layer, null) ?? layer;
    }

    /// <summary>An empty cache for <see cref="Forward(ReadOnlySpan{float}, Span{float}, AttentionCache, int, in AttentionOptions, ReadOnlySpan{int}, Span{float}, AttentionExecution)"/>.</summary>
    /// <param name="batch">Sequences B, at least 0.</param>
    /// <param name="capacity">Tokens of each sequence for which there is room, at least 0.</param>
    /// <param name="canGrow">Whether a full cache grows, which allocates; otherwise appending to it is an error.</param>
    /// <param name="keyElement">
    /// The element type of keys, which are rounded after they are projected, normalised and rotated. <see cref="AttentionElement.Int8Group32"/>,
    /// <see cref="AttentionElement.Int4Group32"/> and <see cref="AttentionElement.Int4"/> need a dimension that is a multiple of 32.
    /// </param>
    /// <param name="valueElement">The element type of values, likewise.</param>
    /// <returns>The cache: room for B·H_kv·capacity·(d_k + d_v) elements and their scales, and what <see cref="AttentionElement.Int4"/> needs in addition (remarks of <see cref="AttentionCache"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A number is negative, the cache would be larger than a <see cref="Span{T}"/> can be, or the layer's dimension is not a multiple of 32 where it must be.
    /// </exception>
    public KeyValueCache CreateCache(
        int batch, int capacity, bool canGrow = true, AttentionElement keyElement = AttentionElement.Float32, AttentionElement valueElement = AttentionElement.Float32)
    {
        CachedRows.CheckElement(keyElement, _sizes.Head, nameof(keyElement), dimName: null);
        CachedRows.CheckElement(valueElement, _sizes.Value, nameof(valueElement), dimName: null);
        return new(batch, capacity, _sizes.KeyValueHeads, _sizes.Head, _sizes.Value, canGrow, keyElement, valueElement);
    }

    /// <summary>Self-attention: queries, keys and values are all projected from one input.</summary>
    /// <param name="input">X: [B, L, d_in].</param>
    /// <param name="output">Written: [B, L, d_model].</param>
    /// <param name="batch">Sequences B.</param>
    /// <param name="length">Tokens L of each sequence; a bound if sequences are ragged.</param>
    /// <param name="options">
    /// Lengths or starts, offsets, masks, biases and sinks; <c>default</c> for none. If only <see cref="AttentionOptions.KeyLengths"/> shorten a sequence, its rows of
    /// the output after the end are what the formula gives for whatever the input contains there; with
    /// <see cref="AttentionOptions.QueryLengths"/> they are the output bias, or 0, and cost nothing.
    /// </param>
    /// <param name="positions">[A, B, L]: the tokens' positions for the rotary embedding; empty for <c>i + offset</c> of queries and <c>j</c> of keys.</param>
    /// <param name="attentionWeights">
    /// Written: [B, h, L_q, L_k], the weights of the softmax (<see cref="AttentionKernel.ComputeWeights"/>), if requested; empty for none. They
    /// cost another product of queries and keys.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation, of the projections too.</param>
    /// <remarks>
    /// Query <c>i</c> has the position of key <c>i + offset</c>; the offset is that of the options (<see cref="AttentionOptions.PositionOffset"/>), else 0 (see
    /// the remarks of <see cref="MultiHeadAttention"/>).
    /// </remarks>
    /// <exception cref="ArgumentException">A length or size does not fit; the parameter is named and nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified.</exception>
    public void Forward(
        ReadOnlySpan<float> input,
        Span<float> output,
        int batch,
        int length,
        in AttentionOptions options = default,
        ReadOnlySpan<int> positions = default,
        Span<float> attentionWeights = default,
        AttentionExecution execution = default)
    {
        BatchTokens tokens = Queries(batch, length, nameof(length), options, execution);
        if (tokens.IsRagged)
            LayerValidation.CheckSameStarts(options);
        LayerValidation.CheckOneInput(_sizes, nameof(input));
        LayerValidation.CheckRows(nameof(input), input.Length, tokens, _sizes.QueryInput);
        LayerValidation.CheckRows(nameof(output), output.Length, tokens, _sizes.Model);
        LayerValidation.CheckPositions(_options.Rotary, nameof(positions), positions, tokens);
        ReadOnlySpan<float> written = Written(output, tokens);
        CheckOptions(options, tokens, length, positions, written);
        LayerValidation.CheckWeights(nameof(attentionWeights), attentionWeights, batch, _sizes.Heads, length, length, input, default, default, written, options);
        Run(
            new()
            {
                Query = input, Key = input, Value = input, Output = output, AttentionWeights = attentionWeights, QueryPositions = positions, KeyPositions = positions,
                Batch = batch, Queries = tokens, Keys = tokens, IsSelf = true, Execution = execution,
            },
            options);
    }

    /// <summary>Attention of one input to another: an encoder's output in a decoder, for instance.</summary>
    /// <param name="query">[B, L_q, query input].</param>
    /// <param name="key">[B, L_k, key input].</param>
    /// <param name="value">[B, L_k, value input]; usually the same as <paramref name="key"/>.</param>
    /// <param name="output">Written: [B, L_q, d_model].</param>
    /// <param name="batch">Sequences B.</param>
    /// <param name="queryLength">Queries L_q of each sequence; a bound if sequences are ragged.</param>
    /// <param name="keyLength">Keys and values L_k of each sequence; a bound if sequences are ragged.</param>
    /// <param name="options">Lengths or starts, offsets, masks, biases and sinks; <c>default</c> for none.</param>
    /// <param name="queryPositions">[A, B, L_q]: the queries' positions for the rotary embedding; empty for <c>i + offset</c>.</param>
    /// <param name="keyPositions">[A, B, L_k]: those of the keys; empty for <c>j</c>.</param>
    /// <param name="attentionWeights">
    /// Written: [B, h, L_q, L_k], the weights of the softmax (<see cref="AttentionKernel.ComputeWeights"/>), if requested; empty for none. They
    /// cost another product of queries and keys.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation, of the projections too.</param>
    /// <inheritdoc cref="Forward(ReadOnlySpan{float}, Span{float}, int, int, in AttentionOptions, ReadOnlySpan{int}, Span{float}, AttentionExecution)" path="/remarks"/>
    /// <inheritdoc cref="Forward(ReadOnlySpan{float}, Span{float}, int, int, in AttentionOptions, ReadOnlySpan{int}, Span{float}, AttentionExecution)" path="/exception"/>
    public void Forward(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<float> output,
        int batch,
        int queryLength,
        int keyLength,
        in AttentionOptions options = default,
        ReadOnlySpan<int> queryPositions = default,
        ReadOnlySpan<int> keyPositions = default,
        Span<float> attentionWeights = default,
        AttentionExecution execution = default)
    {
        BatchTokens queries = Queries(batch, queryLength, nameof(queryLength), options, execution);
        BatchTokens keys = queries.IsRagged
            ? LayerValidation.CheckRagged(_sizes, batch, keyLength, nameof(keyLength), nameof(options.KeyStarts), options.KeyStarts, nameof(options), execution)
            : LayerValidation.CheckTokens(_sizes, batch, keyLength, nameof(keyLength), execution);
        LayerValidation.CheckRows(nameof(query), query.Length, queries, _sizes.QueryInput);
        LayerValidation.CheckRows(nameof(key), key.Length, keys, _sizes.KeyInput);
        LayerValidation.CheckRows(nameof(value), value.Length, keys, _sizes.ValueInput);
        LayerValidation.CheckRows(nameof(output), output.Length, queries, _sizes.Model);
        LayerValidation.CheckPositions(_options.Rotary, nameof(queryPositions), queryPositions, queries);
        LayerValidation.CheckPositions(_options.Rotary, nameof(keyPositions), keyPositions, keys);
        ReadOnlySpan<float> written = Written(output, queries);
        CheckOptions(options, queries, keyLength, queryPositions, written);
        LayerValidation.CheckWeights(nameof(attentionWeights), attentionWeights, batch, _sizes.Heads, queryLength, keyLength, query, key, value, written, options);
        Run(
            new()
            {
                Query = query, Key = key, Value = value, Output = output, AttentionWeights = attentionWeights, QueryPositions = queryPositions, KeyPositions = keyPositions,
                Batch = batch, Queries = queries, Keys = keys, Execution = execution,
            },
            options);
    }

    /// <summary>Projects the keys and values of a memory once, for any number of <see cref="Attend"/>.</summary>
    /// <param name="key">[B, L_k, key input].</param>
    /// <param name="value">[B, L_k, value input]; usually the same as <paramref name="key"/>.</param>
    /// <param name="batch">Sequences B.</param>
    /// <param name="length">Keys and values L_k of each sequence; a bound if sequences are ragged.</param>
    /// <param name="keyLengths">[B]: for each sequence how many of them exist, as <see cref="AttentionOptions.KeyLengths"/>; all if empty.</param>
    /// <param name="positions">[A, B, L_k]: their positions for the rotary embedding; empty for <c>j</c>.</param>
    /// <param name="keyStarts">
    /// [B + 1]: for each sequence its first token, and last the end T, as <see cref="AttentionOptions.KeyStarts"/>, if sequences follow each other without
    /// padding: key and value are then [T, input] and positions [A, T]. Empty if they are padded. Excludes <paramref name="keyLengths"/>.
    /// </param>
    /// <param name="keyElement">The element type of keys, as in <see cref="CreateCache"/>.</param>
    /// <param name="valueElement">The element type of values, likewise.</param>
    /// <param name="execution">How it runs: threads and cancellation, of the projections too.</param>
    /// <returns>The projected keys and values.</returns>
    /// <exception cref="ArgumentException">A length or size does not fit, or a number cannot become an integer; the parameter is named.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public KeyValueCache ProjectMemory(
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        int batch,
        int length,
        ReadOnlySpan<int> keyLengths = default,
        ReadOnlySpan<int> positions = default,
        ReadOnlySpan<int> keyStarts = default,
        AttentionElement keyElement = AttentionElement.Float32,
        AttentionElement valueElement = AttentionElement.Float32,
        AttentionExecution execution = default)
    {
        BatchTokens tokens = keyStarts.IsEmpty
            ? LayerValidation.CheckTokens(_sizes, batch, length, nameof(length), execution) with { Lengths = keyLengths }
            : LayerValidation.CheckRagged(_sizes, batch, length, nameof(length), nameof(keyStarts), keyStarts, nameof(keyStarts), execution);
        if (tokens.IsRagged && !keyLengths.IsEmpty)
            throw new ArgumentException("keyLengths and keyStarts exclude each other: leave out keyLengths, since sequences without padding have the lengths between their starts.", nameof(keyLengths));
        LayerValidation.CheckRows(nameof(key), key.Length, tokens, _sizes.KeyInput);
        LayerValidation.CheckRows(nameof(value), value.Length, tokens, _sizes.ValueInput);
        LayerValidation.CheckLengths(nameof(keyLengths), nameof(keyLengths), keyLengths, batch, length);
        LayerValidation.CheckPositions(_options.Rotary, nameof(positions), positions, tokens);
        KeyValueCache memory = CreateCache(batch, tokens.Longest, canGrow: false, keyElement, valueElement);
        Run(new() { Key = key, Value = value, KeyPositions = positions, Batch = batch, Keys = tokens, Cache = memory, Appends = true, KeyName = nameof(key), ValueName = nameof(value), Execution = execution }, default);
        return memory;
    }

    /// <summary>Attention to keys and values that have already been projected.</summary>
    /// <param name="query">[B, L_q, query input].</param>
    /// <param name="memory">The result of <see cref="ProjectMemory"/> of this layer, or a cache of it, in one piece or in pages. A <see cref="PagedBatch"/> takes one call at a time.</param>
    /// <param name="output">Written: [B, L_q, d_model].</param>
    /// <param name="queryLength">Queries L_q of each sequence; a bound if sequences are ragged.</param>
    /// <param name="options">Query lengths or starts, offsets, masks, biases and sinks; <c>default</c> for none. The key lengths are those of the memory.</param>
    /// <param name="positions">[A, B, L_q]: the queries' positions for the rotary embedding; empty for <c>i + offset</c>.</param>
    /// <param name="attentionWeights">
    /// Written: [B, h, L_q, L_k], the weights of the softmax (<see cref="AttentionKernel.ComputeWeights"/>), if requested; empty for none. They
    /// cost another product of queries and keys.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation, of the projections too.</param>
    /// <inheritdoc cref="Forward(ReadOnlySpan{float}, Span{float}, int, int, in AttentionOptions, ReadOnlySpan{int}, Span{float}, AttentionExecution)" path="/remarks"/>
    /// <inheritdoc cref="Forward(ReadOnlySpan{float}, Span{float}, int, int, in AttentionOptions, ReadOnlySpan{int}, Span{float}, AttentionExecution)" path="/exception"/>
    public void Attend(
        ReadOnlySpan<float> query,
        AttentionCache memory,
        Span<float> output,
        int queryLength,
        in AttentionOptions options = default,
        ReadOnlySpan<int> positions = default,
        Span<float> attentionWeights = default,
        AttentionExecution execution = default)
    {
        LayerValidation.CheckCache(_sizes, memory, nameof(memory));
        if (!options.KeyLengths.IsEmpty || !options.KeyStarts.IsEmpty)
            throw new ArgumentException("The memory has key lengths of its own; KeyLengths and KeyStarts must not be given.", nameof(options));
        BatchTokens queries = Queries(memory.Batch, queryLength, nameof(queryLength), options, execution);
        LayerValidation.CheckRows(nameof(query), query.Length, queries, _sizes.QueryInput);
        LayerValidation.CheckRows(nameof(output), output.Length, queries, _sizes.Model);
        LayerValidation.CheckPositions(_options.Rotary, nameof(positions), positions, queries);
        int keyLength = memory.MaxLength;
        memory.CheckLength(keyLength, nameof(memory));
        ReadOnlySpan<float> written = Written(output, queries);
        CheckOptions(options with { HasCachedKeys = true }, queries, keyLength, positions, written);
        memory.CheckQueries(_options.Complete(options), queries, areAppended: false);
        LayerValidation.CheckWeights(nameof(attentionWeights), attentionWeights, memory.Batch, _sizes.Heads, queryLength, keyLength, query, default, default, written, options);
        Run(
            new()
            {
                Query = query, Output = output, AttentionWeights = attentionWeights, QueryPositions = positions, Batch = memory.Batch, Queries = queries, Cache = memory,
                Execution = execution,
            },
            options);
    }

    /// <summary>
    /// Self-attention of the next tokens to all tokens so far: their keys and values are appended to the cache. One call
    /// with a prompt and then one for each token (incremental decoding) compute the same as one call with all tokens, up to rounding.
    /// The layer must have a causal mask, or a window that ends at the token, unless the call brings a mask as a tensor: other layers are refused, since
    /// their tokens attend to later ones, which the cache does not hold yet.
    /// </summary>
    /// <param name="input">The next tokens: [B, L, d_in].</param>
    /// <param name="output">Written: [B, L, d_model].</param>
    /// <param name="cache">
    /// Holds the tokens before these and, afterwards, these too: from <see cref="CreateCache"/> of this layer, or a <see cref="PagedBatch"/> whose pool has as many heads of
    /// the same dimensions and to which no other layer appends. Only the element type matters to the results: both kinds of cache give the same bits, with
    /// <see cref="PagedBatch.SharesPrefix"/> up to rounding.
    /// </param>
    /// <param name="length">Tokens L of each sequence; a bound if sequences are ragged.</param>
    /// <param name="options">
    /// Lengths or starts, masks, biases and sinks; <c>default</c> for none. <see cref="AttentionOptions.QueryLengths"/> say how many of the next tokens each
    /// sequence has, as in prompts of different lengths: the rest are not appended, and their rows of the output are the output bias, or 0.
    /// <see cref="AttentionOptions.QueryStarts"/> say it without padding: one call may have a prompt for some sequences, the next token for
    /// others, and none for the rest. Key lengths and position offsets are those of the cache. Keys are the tokens of the cache, then these: a mask's L_k is the length of the longest sequence
    /// afterwards.
    /// </param>
    /// <param name="positions">[A, B, L]: the tokens' positions for the rotary embedding; empty for <c>i + offset</c>.</param>
    /// <param name="attentionWeights">
    /// Written: [B, h, L_q, L_k], the weights of the softmax (<see cref="AttentionKernel.ComputeWeights"/>), if requested; empty for none. They
    /// cost another product of queries and keys.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation, of the projections too.</param>
    /// <remarks>
    /// Query <c>i</c> has the position of key <c>i + offset</c>; the offset is the sequence's length in the cache before the call (see the remarks of
    /// <see cref="MultiHeadAttention"/>). Keys and values, those of these tokens too, are rounded to the cache's element types before they are attended over; if these are
    /// integers, a key or value that is not finite is refused: the parameter is <paramref name="input"/>, and the inner exception an <see cref="ArithmeticException"/>.
    /// </remarks>
    /// <exception cref="ArgumentException">A length or size does not fit; the parameter is named and nothing has been written.</exception>
    /// <exception cref="InvalidOperationException">
    /// The cache is full and cannot grow, or the pool has fewer free pages than all sequences together need (<see cref="PagedSequence.PagesNeeded"/>); nothing has been written.
    /// </exception>
    /// <exception cref="ObjectDisposedException">A sequence or its pool has been disposed of; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified, and the cache holds the tokens that it held before.</exception>
    public void Forward(
        ReadOnlySpan<float> input,
        Span<float> output,
        AttentionCache cache,
        int length,
        in AttentionOptions options = default,
        ReadOnlySpan<int> positions = default,
        Span<float> attentionWeights = default,
        AttentionExecution execution = default)
    {
        LayerValidation.CheckCache(_sizes, cache, nameof(cache));
        if (!options.KeyLengths.IsEmpty || !options.KeyStarts.IsEmpty || !options.PositionOffsets.IsEmpty || options.PositionOffset is not null)
            throw new ArgumentException("The cache has key lengths and position offsets of its own; KeyLengths, KeyStarts, PositionOffset and PositionOffsets must not be given.", nameof(options));
        BatchTokens tokens = Queries(cache.Batch, length, nameof(length), options, execution);
        LayerValidation.CheckOneInput(_sizes, nameof(input));
        LayerValidation.CheckRows(nameof(input), input.Length, tokens, _sizes.QueryInput);
        LayerValidation.CheckRows(nameof(output), output.Length, tokens, _sizes.Model);
        LayerValidation.CheckCausal(_options, options, nameof(cache));
        LayerValidation.CheckLengths(nameof(options), nameof(options.QueryLengths), options.QueryLengths, cache.Batch, length);
        LayerValidation.CheckPositions(_options.Rotary, nameof(positions), positions, tokens);
        int keyLength = cache.LengthAfter(tokens, options.QueryStarts.IsEmpty && options.QueryLengths.IsEmpty ? nameof(length) : nameof(options));
        cache.CheckLength(keyLength, nameof(cache));
        ReadOnlySpan<float> written = Written(output, tokens);
        CheckOptions(options with { HasCachedKeys = true }, tokens, keyLength, positions, written);
        cache.CheckQueries(_options.Complete(options), tokens, areAppended: true);
        LayerValidation.CheckWeights(nameof(attentionWeights), attentionWeights, cache.Batch, _sizes.Heads, length, keyLength, input, default, default, written, options);
        Run(
            new()
            {
                Query = input, Key = input, Value = input, Output = output, AttentionWeights = attentionWeights, QueryPositions = positions, KeyPositions = positions,
                Batch = cache.Batch, Queries = tokens, Keys = tokens, Cache = cache, Appends = true, IsSelf = true, KeyName = nameof(input), ValueName = nameof(input),
                Execution = execution,
            },
            options);
    }

    /// <summary>The tokens of the queries of a call, checked.</summary>
    private BatchTokens Queries(int batch, int length, string lengthName, in AttentionOptions options, in AttentionExecution execution) =>
        options.QueryStarts.IsEmpty && options.KeyStarts.IsEmpty
            ? LayerValidation.CheckTokens(_sizes, batch, length, lengthName, execution) with { Lengths = options.QueryLengths }
            : LayerValidation.CheckRagged(_sizes, batch, length, lengthName, nameof(options.QueryStarts), options.QueryStarts, nameof(options), execution);

    /// <summary>The part of the output, checked, that a call writes.</summary>
    private ReadOnlySpan<float> Written(ReadOnlySpan<float> output, in BatchTokens queries) => output[..(int)(queries.Count * _sizes.Model)];

    private void CheckOptions(in AttentionOptions options, in BatchTokens queries, int keyLength, ReadOnlySpan<int> positions, ReadOnlySpan<float> written) =>
        LayerValidation.CheckOptions(
            options, new(queries.Batch, _sizes.Heads, _sizes.KeyValueHeads, queries.Length, keyLength), arePositions: _options.Rotary is not null && positions.IsEmpty, written);

    private AttentionKernel Kernel(AttentionFeatures features) =>
        ScaledDotProductAttention.GetKernel(_sizes.Head, _options.Mask, features, _sizes.Value).For(InstructionSet);

    private unsafe void Run(in LayerCall call, in AttentionOptions options)
    {
        call.Execution.CancellationToken.ThrowIfCancellationRequested();
        if (call.Batch == 0)
            return;
        AttentionCache? cache = call.Cache;
        long queryTokens = call.Queries.Count, keyTokens = call.Keys.Count;
        long queries = ScratchRuler.Aligned(queryTokens * _sizes.Queries), keys = ScratchRuler.Aligned(keyTokens * _sizes.Keys), values = ScratchRuler.Aligned(keyTokens * _sizes.Values);
        if (call.Appends)
            cache!.Begin(call.Keys);

        Workspace? workspace = null;
        bool isDone = false;
        try
        {
            workspace = Workspace.Rent(queries + keys + values + queryTokens * _sizes.Attended);
            float* query = workspace.Memory, key = query + queries, value = key + keys, attended = value + values;
            fixed (float* queryInput = call.Query, keyInput = call.Key, valueInput = call.Value)
            {
                // A single input: all its projections at once.
                ProductCall ofQuery = new(_product, (int)queryTokens), ofKey = new(_product, (int)keyTokens);
                ofQuery.Add(new(queryInput, _sizes.QueryInput, _projections.Query, query, _sizes.Queries));
                ref ProductCall ofKeyAndValue = ref call.IsSelf ? ref ofQuery : ref ofKey;
                ofKeyAndValue.Add(new(keyInput, _sizes.KeyInput, _projections.Key, key, _sizes.Keys));
                ofKeyAndValue.Add(new(valueInput, _sizes.ValueInput, _projections.Value, value, _sizes.Values));
                ofQuery.Run(call.Execution.MaxDegreeOfParallelism, call.Execution.CancellationToken);
                if (!call.IsSelf)
                    ofKey.Run(call.Execution.MaxDegreeOfParallelism, call.Execution.CancellationToken);
            }

            // The position of the first token of each sequence, or of all.
            ReadOnlySpan<int> positions = call.Appends ? cache!.Positions : options.PositionOffsets;
            PrepareHeads(call, query, call.Queries, positions, options.PositionOffset ?? 0, HeadsKind.Queries);
            PrepareHeads(call, key, call.Keys, call.Appends ? positions : default, 0, HeadsKind.Keys);
            PrepareHeads(call, value, call.Keys, default, 0, HeadsKind.Values);
            if (call.Appends)
                cache!.ThrowIfRefused(call.KeyName, call.ValueName);

            if (queryTokens > 0)
            {
                AttendHeads(
                    call,
                    options,
                    new(query, (int)(queryTokens * _sizes.Queries)),
                    new(key, (int)(keyTokens * _sizes.Keys)),
                    new(value, (int)(keyTokens * _sizes.Values)),
                    new(attended, (int)(queryTokens * _sizes.Attended)));
                fixed (float* output = call.Output)
                {
                    ProductCall ofOutput = new(_product, (int)queryTokens);
                    ofOutput.Add(new(attended, _sizes.Attended, _projections.Output, output, _sizes.Model));
                    ofOutput.Run(call.Execution.MaxDegreeOfParallelism, call.Execution.CancellationToken);
                }
            }

            isDone = true;
        }
        finally
        {
            if (call.Appends && isDone)
                cache!.Commit();
            else if (call.Appends)
                cache!.Abandon();
            workspace?.Return();
        }
    }

    private void AttendHeads(
        in LayerCall call, in AttentionOptions options, ReadOnlySpan<float> query, ReadOnlySpan<float> key, ReadOnlySpan<float> value, Span<float> output)
    {
        // With a cache QueryLengths are those of the appended tokens: the others are not queries, so that each sequence has the bits that it has alone.
        AttentionOptions own = _options.Complete(options) with { IsCrossAttention = !call.IsSelf, HasCachedKeys = call.Cache is not null };
        if (call.Appends && call.Cache!.Starts.ContainsAnyExcept(call.Cache.Starts[0]))
            own = own with { PositionOffsets = call.Cache.Starts };
        if (own.PositionOffsets.IsEmpty)
            own = own with { PositionOffset = call.Appends ? call.Cache!.Starts[0] : own.PositionOffset ?? 0 };
        if (call.Cache is not null)
        {
            call.Cache.Attend(_kernels, query, output, call.AttentionWeights, _sizes.Heads, call.Queries.Length, own, call.Execution);
            return;
        }

        AttentionShape shape = new(call.Batch, _sizes.Heads, _sizes.KeyValueHeads, call.Queries.Length, call.Keys.Length) { Layout = AttentionLayout.BatchLengthHeadDim };
        AttentionKernel kernel = _kernels.For(own);
        kernel.Forward(query, key, value, output, shape, own, call.Execution);
        if (!call.AttentionWeights.IsEmpty)
            kernel.ComputeWeights(query, key, call.AttentionWeights, shape, own, call.Execution);
    }

    /// <summary>Normalises and rotates the heads of a projection, and writes keys and values into the cache to which the call appends.</summary>
    private unsafe void PrepareHeads(in LayerCall call, float* heads, in BatchTokens tokens, ReadOnlySpan<int> positionStarts, int commonStart, HeadsKind kind)
    {
        ReadOnlySpan<int> positions = kind switch { HeadsKind.Queries => call.QueryPositions, HeadsKind.Keys => call.KeyPositions, _ => default };
        bool isStored = call.Appends && kind != HeadsKind.Queries;
        fixed (int* tokenStarts = tokens.Starts, lengths = isStored ? tokens.Lengths : default, starts = positionStarts, ownPositions = positions)
        {
            HeadsWork work = new()
            {
                Source = heads,
                Cache = isStored ? call.Cache : null,
                Kind = kind,
                Batch = call.Batch,
                Length = tokens.Length,
                Tokens = (int)tokens.Count,
                TokenStarts = tokenStarts,
                TokenLengths = lengths,
                Heads = kind == HeadsKind.Queries ? _sizes.Heads : _sizes.KeyValueHeads,
                Dim = kind == HeadsKind.Values ? _sizes.Value : _sizes.Head,
                PositionStarts = starts,
                CommonStart = commonStart,
                Norm = kind switch { HeadsKind.Queries => _queryNorm, HeadsKind.Keys => _keyNorm, _ => null },
                Rotary = kind == HeadsKind.Values ? null : _options.Rotary,
                Positions = ownPositions,
            };
            if (work.IsNeeded)
                TiledJob<HeadsWork>.Run(work, call.Execution.MaxDegreeOfParallelism, call.Execution.CancellationToken);
        }
    }
}
