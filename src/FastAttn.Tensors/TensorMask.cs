using System;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>Makes the masks of a call (<see cref="AttentionOptions.AdditiveMask"/>, <see cref="AttentionOptions.BooleanMask"/>) of tensors, without copying them.</summary>
/// <remarks>
/// <para>
/// A mask is [B, H, L_q, L_k], [H, L_q, L_k], [L_q, L_k] or [L_k]: axes that it lacks on the left, and axes of length 1, are repeated as numpy and PyTorch
/// repeat them. A mask for each sequence and all heads is [B, 1, L_q, L_k]. Rows of 2 or more elements may be shorter than the key length, and then hide
/// the keys after them (<see cref="AttentionMaskSizes"/>). Whether the lengths fit is checked by the call, which names its options.
/// </para>
/// <para>Strides are honoured, those of 0 too; the last axis must be contiguous or of length 1.</para>
/// </remarks>
public static class TensorMask
{
    /// <summary>A mask of floats that are added to the scores; −∞ hides a key.</summary>
    /// <param name="mask">The mask: [B, H, L_q, L_k], or fewer axes.</param>
    /// <returns>The mask, over the memory of the tensor.</returns>
    /// <exception cref="ArgumentException">The rank is not 1 to 4, the last axis is not contiguous, or the tensor spans more elements than a span can hold.</exception>
    public static AdditiveMask Additive(scoped in ReadOnlyTensorSpan<float> mask)
    {
        TensorView view = TensorView.Of(mask.Lengths, mask.Strides, nameof(mask), minRank: 1);
        return new(MemoryMarshal.CreateReadOnlySpan(in mask.GetPinnableReference(), view.Elements), SizesOf(view), StridesOf(view));
    }

    /// <summary>A mask of booleans: true where a query may attend to a key.</summary>
    /// <inheritdoc cref="Additive"/>
    public static BooleanMask Boolean(scoped in ReadOnlyTensorSpan<bool> mask)
    {
        TensorView view = TensorView.Of(mask.Lengths, mask.Strides, nameof(mask), minRank: 1);
        return new(MemoryMarshal.CreateReadOnlySpan(in mask.GetPinnableReference(), view.Elements), SizesOf(view), StridesOf(view));
    }

    /// <summary>A mask of bytes: 0 hides a key, any other shows it.</summary>
    /// <inheritdoc cref="Additive"/>
    public static BooleanMask Boolean(scoped in ReadOnlyTensorSpan<byte> mask)
    {
        TensorView view = TensorView.Of(mask.Lengths, mask.Strides, nameof(mask), minRank: 1);
        return new(MemoryMarshal.CreateReadOnlySpan(in mask.GetPinnableReference(), view.Elements), SizesOf(view), StridesOf(view));
    }

    private static AttentionMaskSizes SizesOf(in TensorView view) => new(view.Batch, view.Heads, view.Length, view.Dim);

    private static AttentionMaskStrides StridesOf(in TensorView view) => new(view.Strides.Batch, view.Strides.Head, view.Strides.Length);
}
