using System;

namespace FastAttn;

/// <summary>
/// A mask of bits: key <c>j</c> of a row is bit <c>j &amp; 7</c> of its byte <c>j &gt;&gt; 3</c>, 1 where a query may attend to it. Each row begins with a new byte:
/// numpy's <c>packbits(mask, axis=-1, bitorder="little")</c>, not its default.
/// </summary>
/// <remarks>
/// <para>
/// A mask comes with its sizes. Without them they are those of the shape: a mask is [B, H, L_q, L_k], [B, 1, L_q, L_k], [1, H, L_q, L_k] or
/// [1, 1, L_q, L_k] by its number of elements. Where two of these have as many elements, as with as many sequences as heads, the sizes must be given.
/// <c>default</c> is no mask; an empty mask is an error.
/// </para>
/// </remarks>
public readonly ref struct BitMask
{
    /// <summary>Elements, sizes and strides.</summary>
    internal readonly MaskTensor Tensor;

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask.</param>
    public BitMask(ReadOnlySpan<byte> elements) => Tensor = MaskTensor.OfBits(elements, null, null);

    /// <summary>A mask of these sizes.</summary>
    /// <param name="elements">The mask; may be longer than needed.</param>
    /// <param name="sizes">Its sizes; <c>new(1, heads, 1, keyLength)</c>, for instance.</param>
    /// <param name="strides">Where its rows stand; null where it is contiguous, each row beginning with a new byte. Strides are in bits.</param>
    public BitMask(ReadOnlySpan<byte> elements, AttentionMaskSizes sizes, AttentionMaskStrides? strides = null) => Tensor = MaskTensor.OfBits(elements, sizes, strides);

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask; null for none.</param>
    public static implicit operator BitMask(byte[]? elements) => elements is null ? default : new(elements);

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask.</param>
    public static implicit operator BitMask(ReadOnlySpan<byte> elements) => new(elements);

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask.</param>
    public static implicit operator BitMask(Span<byte> elements) => new(elements);
}
