using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>
/// What a call computes besides <c>softmax(Q·Kᵀ/√d_k)·V</c>: scale, softcap, window, offsets, lengths, masks, biases and sinks. A property that is not set,
/// or an empty span, is absent. How a call runs is in <see cref="AttentionExecution"/>; where its buffers lie is in
/// <see cref="AttentionShape.Layout"/> and in the strides of <see cref="AttentionInput"/> and <see cref="AttentionOutput"/>.
/// </summary>
/// <remarks>
/// Scores become weights in the order of ONNX Attention-24: scale, softcap, masks and biases, softmax. A key that any mask, length or window hides is
/// hidden, and neither it nor its value reaches the output, whatever they hold. Any combination is possible if the kernel has the features. Most of what is hidden
/// from neighbouring queries alike, such as padding or the keys after a causal position, is not computed, whatever hides it. A very negative
/// number instead of −∞ hides nothing.
/// </remarks>
public readonly ref struct AttentionOptions
{
    private readonly AdditiveMask _additiveMask;
    private readonly BooleanMask _booleanMask;
    private readonly BitMask _bitMask;

    /// <summary>The factor of Q·Kᵀ, finite; <c>1/√d_k</c> if null. Use 1 for none.</summary>
    public float? Scale { get; init; }

    /// <summary>
    /// c, 10⁻²⁰ to 10²⁰: scores become <c>c·tanh(scale·q·k / c)</c>, before any mask (Gemma 2, arXiv 2408.00118);
    /// null for none.
    /// </summary>
    public float? Softcap { get; init; }

    /// <summary>Which keys a query sees by their distance; null for all.</summary>
    public AttentionWindow? Window { get; init; }

    /// <summary>
    /// Query <c>i</c> has the position of key <c>i + PositionOffset</c>. Causal masks (<see cref="AttentionMask.Causal"/>: query <c>i</c> sees key
    /// <c>j</c> where <c>j &lt;= i + PositionOffset</c>), windows and ALiBi use these positions, and so do layers' rotary embeddings. Any value is
    /// valid; if none of these is used, it is ignored.
    /// </summary>
    /// <remarks>
    /// <para>If null, each sequence has the offset that it has alone:</para>
    /// <list type="table">
    /// <listheader><term>call</term><description>offset</description></listheader>
    /// <item><term>shape with as many keys as queries, padded (<see cref="KeyLengths"/>) or not, without <see cref="QueryLengths"/></term><description>0</description></item>
    /// <item><term>any other shape; <see cref="QueryLengths"/>; ragged</term><description>the sequence's keys − its queries: its last query sees its last key, as with a cache</description></item>
    /// <item><term><see cref="KeyPart"/></term><description>as above, by all keys of the sequence instead of those of the call</description></item>
    /// <item><term>a layer (<c>MultiHeadAttention</c>) with a cache</term><description>the number of tokens that were in the cache before</description></item>
    /// <item><term>a layer without a cache</term><description>0: query <c>i</c> has the position of key <c>i</c></description></item>
    /// </list>
    /// <para>
    /// Where the offset matters, a sequence with more queries than keys in the second row, and <see cref="QueryLengths"/> without
    /// <see cref="KeyLengths"/> in a square shape, are refused because they are ambiguous. PyTorch's <c>is_causal</c> is 0 for every shape.
    /// </para>
    /// </remarks>
    public int? PositionOffset { get; init; }

    /// <summary>[B]: for each sequence its <see cref="PositionOffset"/>.</summary>
    public ReadOnlySpan<int> PositionOffsets { get; init; }

    /// <summary>
    /// Which part of the keys the call has, if it has only some of the keys that the queries attend to. Causal masks, windows and ALiBi then count from the first
    /// of all keys. The results of the parts merge (<c>AttentionOutput.Merge</c>) to the result over all keys. Null if the call has all
    /// keys. Excludes <see cref="KeyLengths"/> and ragged batches.
    /// </summary>
    public AttentionKeyPart? KeyPart { get; init; }

    /// <summary>[B]: for each sequence how many of its keys exist, 0 to the shape's key length (key padding); the rest are hidden.</summary>
    public ReadOnlySpan<int> KeyLengths { get; init; }

    /// <summary>
    /// [B]: for each sequence how many of its queries exist, 0 to the shape's query length; all if not given. Rows of the output
    /// after them are zeros, and their log-sum-exp is −∞; if not given, the rows after the end of a padded sequence are those that
    /// the formula gives for whatever they contain. The lengths also count for a sequence's default <see cref="PositionOffset"/>.
    /// </summary>
    public ReadOnlySpan<int> QueryLengths { get; init; }

    /// <summary>
    /// [B + 1]: the starts of sequences of different lengths that follow each other without padding. Sequence <c>b</c> has the queries
    /// <c>QueryStarts[b]</c> to <c>QueryStarts[b + 1] − 1</c>, so there is one more start than there are sequences and the
    /// first is 0. Query and output are then [H, T, D] or [T, H, D] with T the last start, and the log-sum-exp is [H, T].
    /// No sequence may be longer than the shape's query length.
    /// </summary>
    /// <remarks>
    /// Needs <see cref="KeyStarts"/> too, except with <see cref="KeyPages"/>, and in layers (<c>MultiHeadAttention</c>) whose keys come from a cache or memory.
    /// </remarks>
    public ReadOnlySpan<int> QueryStarts { get; init; }

    /// <summary>As <see cref="QueryStarts"/>, for keys and values.</summary>
    public ReadOnlySpan<int> KeyStarts { get; init; }

    /// <summary>
    /// The pages that hold the keys and values of each sequence, if these are in pages: <see cref="KeyLengths"/> then say how many keys each sequence has, or the
    /// shape's key length does if they are not given. <c>default</c> for none. Excludes <see cref="KeyStarts"/>; queries may be ragged.
    /// </summary>
    public AttentionPages KeyPages { get; init; }

    /// <summary>M, added to the scores: <c>softmax(scale·Q·Kᵀ + M)</c>. An element of −∞ hides its key.</summary>
    public AdditiveMask AdditiveMask
    {
        get => _additiveMask;
        init => _additiveMask = value;
    }

    /// <summary>Which keys a query may attend to, a <see cref="bool"/> or byte each.</summary>
    public BooleanMask BooleanMask
    {
        get => _booleanMask;
        init => _booleanMask = value;
    }

    /// <summary>Which keys a query may attend to, a bit each.</summary>
    public BitMask BitMask
    {
        get => _bitMask;
        init => _bitMask = value;
    }

    /// <summary>
    /// [H]: ALiBi (arXiv 2108.12409), a slope for each query head; <see cref="FastAttn.AlibiSlopes.For"/> gives the paper's.
    /// <c>−slope·|i + offset − j|</c> is added to the score of query <c>i</c> and key <c>j</c>. The offset is <see cref="PositionOffset"/>, with or without
    /// a causal mask.
    /// </summary>
    public ReadOnlySpan<float> AlibiSlopes { get; init; }

    /// <summary>
    /// [H]: attention sinks (arXiv 2309.17453, as learned by gpt-oss), for each query head one more logit in the softmax's
    /// denominator, without a value; −∞ for none. It is part of the log-sum-exp.
    /// </summary>
    public ReadOnlySpan<float> Sinks { get; init; }

    /// <summary>Whether queries and keys are known to belong to different tokens, even if there are as many of both: key lengths then say nothing about queries.</summary>
    internal bool IsCrossAttention { get; init; }

    /// <summary>
    /// Whether keys and values come from a layer's cache, which has an axis of sequences, and <see cref="KeyLengths"/>: <see cref="QueryStarts"/> are then
    /// given without <see cref="KeyStarts"/>.
    /// </summary>
    internal bool HasCachedKeys { get; init; }

    /// <summary>The features that a kernel needs for these options.</summary>
    internal AttentionFeatures UsedFeatures
    {
        get
        {
            AttentionFeatures features = AttentionFeatures.None;
            Add(!KeyLengths.IsEmpty || !QueryLengths.IsEmpty, AttentionFeatures.Lengths, ref features);
            Add(!QueryStarts.IsEmpty || !KeyStarts.IsEmpty, AttentionFeatures.Ragged, ref features);
            Add(Window is not null, AttentionFeatures.Window, ref features);
            Add(!AlibiSlopes.IsEmpty, AttentionFeatures.Alibi, ref features);
            Add(Softcap is not null, AttentionFeatures.Softcap, ref features);
            Add(!Sinks.IsEmpty, AttentionFeatures.Sinks, ref features);
            Add(_additiveMask.Tensor.IsGiven, AttentionFeatures.AdditiveMask, ref features);
            Add(_booleanMask.Tensor.IsGiven, AttentionFeatures.BooleanMask, ref features);
            Add(_bitMask.Tensor.IsGiven, AttentionFeatures.BitMask, ref features);
            return features;

            static void Add(bool isUsed, AttentionFeatures feature, ref AttentionFeatures features) => features |= isUsed ? feature : 0;
        }
    }

    /// <summary>Whether any buffer is given: anything that must fit the shape, except <see cref="KeyPart"/>, or that is read.</summary>
    internal bool HasBuffers =>
        (KeyLengths.Length | QueryLengths.Length | QueryStarts.Length | KeyStarts.Length | PositionOffsets.Length | KeyPages.PageSize | AlibiSlopes.Length | Sinks.Length) != 0
        || _additiveMask.Tensor.IsGiven || _booleanMask.Tensor.IsGiven || _bitMask.Tensor.IsGiven;

    /// <summary>The mask of these elements.</summary>
    [UnscopedRef]
    internal ref readonly MaskTensor MaskOf(MaskElement element) =>
        ref element == MaskElement.Float ? ref _additiveMask.Tensor : ref element == MaskElement.Byte ? ref _booleanMask.Tensor : ref _bitMask.Tensor;
}
