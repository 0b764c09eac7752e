using System;

namespace FastAttn;

/// <summary>
/// What a call may have beside Q, K and V: masks, lengths, biases and sinks. A property that is not set is absent.
/// </summary>
/// <remarks>
/// Scores become weights in the order of ONNX Attention-24: scale, softcap (<see cref="AttentionOptions.Softcap"/>), masks
/// and biases, softmax. A key that any mask, length or window hides is hidden, and what it and its value hold never
/// reaches the output. Any combination is possible where the kernel has the features. Most of what is hidden from neighbouring
/// queries alike, such as padding or the keys after a causal position, is not computed, whatever hides it. A very negative number
/// in place of −∞ hides nothing.
/// </remarks>
public readonly ref struct AttentionModifiers
{
    /// <summary>
    /// M: [B, H, L_q, L_k], added to the scores: <c>softmax(scale·Q·Kᵀ + M)</c>. An element of −∞ hides its key. Any axis may have
    /// size 1 and is repeated then (<see cref="AttentionMaskStrides"/>); rows of 2 or more elements may be shorter than L_k, which hides the keys
    /// after them.
    /// </summary>
    public ReadOnlySpan<float> AdditiveMask { get; init; }

    /// <summary>Where rows of <see cref="AdditiveMask"/> stand; null where it is contiguous and of the shape's full size.</summary>
    public AttentionMaskStrides? AdditiveMaskStrides { get; init; }

    /// <summary>Which keys a query may attend to: [B, H, L_q, L_k] as in <see cref="AdditiveMask"/>, one byte each, true to attend.</summary>
    public ReadOnlySpan<bool> BooleanMask { get; init; }

    /// <summary>Where rows of <see cref="BooleanMask"/> stand; null as for <see cref="AdditiveMaskStrides"/>.</summary>
    public AttentionMaskStrides? BooleanMaskStrides { get; init; }

    /// <summary>
    /// Which keys a query may attend to: [B, H, L_q, L_k] bits as in <see cref="AdditiveMask"/>; key <c>j</c> of a row is bit
    /// <c>j &amp; 7</c> of its byte <c>j &gt;&gt; 3</c>, 1 to attend: numpy's <c>packbits(mask, axis=-1, bitorder="little")</c>, not its default.
    /// </summary>
    public ReadOnlySpan<byte> PackedMask { get; init; }

    /// <summary>Where rows of <see cref="PackedMask"/> stand, in bits; null as for <see cref="AdditiveMaskStrides"/>, each row beginning with a new byte.</summary>
    public AttentionMaskStrides? PackedMaskStrides { get; init; }

    /// <summary>[B]: for each sequence how many of its keys exist, 0 to the shape's key length (key padding); the rest is hidden.</summary>
    public ReadOnlySpan<int> KeyLengths { get; init; }

    /// <summary>
    /// [B]: for each sequence how many of its queries exist, 0 to the shape's query length; all where it is not given. Rows of the output
    /// after them are zeros, and their log-sum-exp is −∞; where it is not given, the rows after the end of a padded sequence are those that
    /// the formula gives for what stands there. The lengths also count for a sequence's default diagonal
    /// (<see cref="AttentionOptions.CausalOffset"/>).
    /// </summary>
    public ReadOnlySpan<int> QueryLengths { get; init; }

    /// <summary>[B]: for each sequence its <see cref="AttentionOptions.CausalOffset"/>.</summary>
    public ReadOnlySpan<int> CausalOffsets { get; init; }

    /// <summary>
    /// [B + 1]: sequences of different lengths without padding, one after the other: sequence <c>b</c> has the queries
    /// <c>QueryStarts[b]</c> to <c>QueryStarts[b + 1] − 1</c>, so there is one more start than there are sequences and the
    /// first is 0. Query and output are then [H, T, D] or [T, H, D] with T the last start, and the log-sum-exp is [H, T].
    /// No sequence may be longer than the shape's query length.
    /// </summary>
    /// <remarks>Needs <see cref="KeyStarts"/> too.</remarks>
    public ReadOnlySpan<int> QueryStarts { get; init; }

    /// <summary>As <see cref="QueryStarts"/>, for keys and values.</summary>
    public ReadOnlySpan<int> KeyStarts { get; init; }

    /// <summary>
    /// [H]: ALiBi (arXiv 2108.12409), for each query head a slope, the paper's from <see cref="FastAttn.AlibiSlopes.For"/>;
    /// <c>−slope·|i + offset − j|</c> is added to the score of query <c>i</c> and key <c>j</c>. The offset is <see cref="AttentionOptions.CausalOffset"/>, with or without a causal mask.
    /// </summary>
    public ReadOnlySpan<float> AlibiSlopes { get; init; }

    /// <summary>
    /// [H]: attention sinks (arXiv 2309.17453, as learned by gpt-oss), for each query head one more logit in the softmax's
    /// denominator, with no value; −∞ for none. It is part of the log-sum-exp.
    /// </summary>
    public ReadOnlySpan<float> Sinks { get; init; }
}
