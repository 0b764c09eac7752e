using System;

namespace FastAttn;

/// <summary>
/// A mask of floats that are added to the scores, after scale and softcap; −∞ hides a key. Relative position biases and PyTorch's float masks have this form.
/// </summary>
/// <remarks>
/// <para>
/// A mask without sizes must have the shape's full size, [B, H, L_q, L_k], or be the same for all query heads,
/// [B, 1, L_q, L_k]; with as many sequences as query heads, where the latter could be one mask for each head, it needs its sizes. <b>Any other mask
/// must come with its sizes</b>: its number of elements may match one of these by chance. A mask without sizes has exactly as many elements as these need.
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
    /// <param name="strides">The strides of its rows; null if it is contiguous.</param>
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
