using System;

namespace FastAttn;

/// <summary>
/// The scales of 8-bit keys or values, <c>x = scale·q</c>: one for each token and head, or one for each head and channel. Keys of language models have channels that are 10 to
/// 20 times as large as the others, which scales per channel keep apart: recommended are scales per channel for keys and per token for values.
/// </summary>
/// <remarks>A scale that is not finite makes its elements NaN or ±∞. A key or value with such a scale that a query may not see does not reach its output.</remarks>
public readonly ref struct AttentionScales
{
    private AttentionScales(ReadOnlySpan<float> scales, AttentionStrides? strides, bool arePerChannel)
    {
        Scales = scales;
        Strides = strides;
        ArePerChannel = arePerChannel;
    }

    /// <summary>The scales.</summary>
    public ReadOnlySpan<float> Scales { get; }

    /// <summary>Where the scale of a token and head stands, of scales per token; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</summary>
    public AttentionStrides? Strides { get; }

    /// <summary>Whether there is one for each head and channel, else one for each token and head.</summary>
    public bool ArePerChannel { get; }

    /// <summary>A scale for each token and head.</summary>
    /// <param name="scales">[B, H_kv, L_k], or [B, L_k, H_kv] as the shape's layout says, or at strides. With pages the batch axis is theirs, as it is for the elements.</param>
    /// <param name="strides">
    /// Where the scale of a token and head stands; null for the order of the shape's <see cref="AttentionShape.Layout"/>. Where the elements have strides, scales must have strides of
    /// their own: those with room for more tokens <see cref="AttentionStrides.Of"/> with a dimension of 1.
    /// </param>
    public static AttentionScales PerToken(ReadOnlySpan<float> scales, AttentionStrides? strides = null) => new(scales, strides, arePerChannel: false);

    /// <summary>A scale for each head and channel, the same for all sequences and tokens. It costs a query d_k multiplications for keys, d_v for values.</summary>
    /// <param name="scales">[H_kv, d_k] for keys, [H_kv, d_v] for values.</param>
    public static AttentionScales PerChannel(ReadOnlySpan<float> scales) => new(scales, strides: null, arePerChannel: true);
}
