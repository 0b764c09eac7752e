using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The scales of 8-bit keys or values, <c>x = scale·q</c>: one for each token and head, or one for each head and channel. Keys of language models have channels that are 10 to
/// 20 times as large as the others, which scales per channel keep apart: we recommend scales per channel for keys and per token for values. For 4-bit keys or values there are a scale and
/// a minimum for each head and channel of 32 tokens, <c>x = d·q + m</c> (KIVI, arXiv 2402.02750).
/// </summary>
/// <remarks>
/// Scales and minima are finite; those that <see cref="KeyValueQuantizer"/> writes are. If one is not, the outputs of queries that see its key or value may be any number or NaN, and may differ
/// between few queries and many, since separately stored scales multiply sums. A key or value with such a scale that a query may not see does not reach its output.
/// </remarks>
public readonly ref struct AttentionScales
{
    private readonly ref readonly byte _start;

    private AttentionScales(ref readonly byte start, int length, AttentionStrides? strides, bool arePerChannel, bool areOver32Tokens)
    {
        _start = ref start;
        Length = length;
        Strides = strides;
        ArePerChannel = arePerChannel;
        AreOver32Tokens = areOver32Tokens;
    }

    /// <summary>The scales of 8-bit elements; empty if they are over 32 tokens.</summary>
    public ReadOnlySpan<float> Scales => AreOver32Tokens ? default : MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<byte, float>(ref Unsafe.AsRef(in _start)), Length);

    /// <summary>The scales and minima of 4-bit elements; empty where scales are those of 8-bit elements.</summary>
    public ReadOnlySpan<Half> ScalesAndMinima => AreOver32Tokens ? MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<byte, Half>(ref Unsafe.AsRef(in _start)), Length) : default;

    /// <summary>
    /// The strides of the scale of each token and head, for scales per token, or of the scales and minima of 32 tokens and a head; null for the order of the shape's
    /// <see cref="AttentionShape.Layout"/>.
    /// </summary>
    public AttentionStrides? Strides { get; }

    /// <summary>Whether there is a scale for each head and channel, shared by all tokens or by 32 of them, rather than one for each token and head.</summary>
    public bool ArePerChannel { get; }

    /// <summary>Whether there is a scale and a minimum for each head and channel of 32 tokens.</summary>
    public bool AreOver32Tokens { get; }

    /// <summary>Floats or halves.</summary>
    internal int Length { get; }

    /// <summary>The first byte; null without scales.</summary>
    internal ref readonly byte Start => ref _start;

    /// <summary>A scale for each token and head.</summary>
    /// <param name="scales">[B, H_kv, L_k], or [B, L_k, H_kv] as the shape's layout says, or at strides. With pages the batch axis is theirs, as it is for the elements.</param>
    /// <param name="strides">
    /// The strides of the scale of each token and head; null for the order of the shape's <see cref="AttentionShape.Layout"/>. Where the elements have strides, scales must have their own:
    /// with room for more tokens, <see cref="AttentionStrides.Of"/> with a dimension of 1.
    /// </param>
    public static AttentionScales PerToken(ReadOnlySpan<float> scales, AttentionStrides? strides = null) =>
        new(ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(scales)), scales.Length, strides, arePerChannel: false, areOver32Tokens: false);

    /// <summary>A scale for each head and channel, the same for all sequences and tokens. It costs a query d_k multiplications for keys, d_v for values.</summary>
    /// <param name="scales">[H_kv, d_k] for keys, [H_kv, d_v] for values.</param>
    public static AttentionScales PerChannel(ReadOnlySpan<float> scales) =>
        new(ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(scales)), scales.Length, strides: null, arePerChannel: true, areOver32Tokens: false);

    /// <summary>
    /// A scale d and a minimum m for each head and channel of 32 consecutive tokens of a sequence, for elements of <see cref="AttentionElement.Int4"/>. Tokens count
    /// from the sequence's first key: 0 to 31 have the first scales, 32 to 63 the next. The last scales of a sequence may cover fewer tokens.
    /// </summary>
    /// <param name="scalesAndMinima">
    /// [B, H_kv, ⌈L_k/32⌉, 2, d_k] for keys, or [B, ⌈L_k/32⌉, H_kv, 2, d_k] as the shape's layout says, or at strides, and likewise with d_v for values: for 32 tokens and a head the
    /// d of all channels, then the m of all channels, 4·d_k bytes together. With pages, whose size must be a multiple of 32, the batch axis is theirs, and L_k is the page size. Sequences
    /// of a ragged batch must begin at multiples of 32 of its tokens.
    /// </param>
    /// <param name="strides">
    /// Where the scales of 32 tokens and a head are: group g is at <c>b·Batch + h·Head + g·Length</c>, in halves; null for the order of the shape's
    /// <see cref="AttentionShape.Layout"/>. Where the elements have strides, scales must have their own: with room for 32·n tokens, <see cref="AttentionStrides.Of"/>
    /// with a capacity of n and a dimension of 2·d_k.
    /// </param>
    public static AttentionScales PerChannelOver32Tokens(ReadOnlySpan<Half> scalesAndMinima, AttentionStrides? strides = null) =>
        new(ref Unsafe.As<Half, byte>(ref MemoryMarshal.GetReference(scalesAndMinima)), scalesAndMinima.Length, strides, arePerChannel: true, areOver32Tokens: true);
}
