using System;

namespace FastAttn;

/// <summary>
/// A mask of floats that are added to the scores, after scale and softcap; −∞ hides a key. Relative position biases and PyTorch's float masks come so.
/// </summary>
/// <remarks>
/// <para>
/// A mask comes with its sizes. Without them they are those of the shape: a mask is [B, H, L_q, L_k], [B, 1, L_q, L_k], [1, H, L_q, L_k] or
/// [1, 1, L_q, L_k] by its number of elements. Where two of these have as many elements, as with as many sequences as heads, the sizes must be given.
/// <c>default</c> is no mask; an empty mask is an error.
/// </para>
/// </remarks>
public readonly ref struct AdditiveMask
{
    /// <summary>Elements, sizes and strides.</summary>
    internal readonly MaskTensor Tensor;

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask.</param>
    public AdditiveMask(ReadOnlySpan<float> elements) => Tensor = MaskTensor.Of(elements, null, null);

    /// <summary>A mask of these sizes.</summary>
    /// <param name="elements">The mask; may be longer than needed.</param>
    /// <param name="sizes">Its sizes; <c>new(1, heads, 1, keyLength)</c>, for instance.</param>
    /// <param name="strides">Where its rows stand; null where it is contiguous.</param>
    public AdditiveMask(ReadOnlySpan<float> elements, AttentionMaskSizes sizes, AttentionMaskStrides? strides = null) => Tensor = MaskTensor.Of(elements, sizes, strides);

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask; null for none.</param>
    public static implicit operator AdditiveMask(float[]? elements) => elements is null ? default : new(elements);

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask.</param>
    public static implicit operator AdditiveMask(ReadOnlySpan<float> elements) => new(elements);

    /// <summary>A contiguous mask whose sizes follow from the shape.</summary>
    /// <param name="elements">The mask.</param>
    public static implicit operator AdditiveMask(Span<float> elements) => new(elements);
}
