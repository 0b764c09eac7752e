using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>Checks a mask against the shape of its call, and finds where its rows are.</summary>
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
internal static class MaskCheck
{
    private const int BitsPerByte = 8;

    /// <summary>Returns the strides of a mask's rows.</summary>
    /// <param name="mask">A mask that is given.</param>
    /// <param name="shape">The sizes of the call.</param>
    /// <param name="parameter">The public method's parameter that has the mask.</param>
    /// <exception cref="ArgumentException">The mask does not fit.</exception>
    public static MaskLayout Check(in MaskTensor mask, in AttentionShape shape, string parameter)
    {
        AttentionFeatures name = MaskTensor.FeatureOf(mask.Element);
        int itemBits = mask.Element == MaskElement.Bit ? BitsPerByte : 1;
        AttentionMaskSizes sizes = mask.Sizes ?? Infer(mask, shape, itemBits, name, parameter);
        CheckSize(sizes.Batch, shape.Batch, "batch");
        CheckSize(sizes.Heads, shape.QueryHeads, "query heads");
        CheckSize(sizes.QueryLength, shape.QueryLength, "query length");
        if (sizes.KeyLength < 0 || sizes.KeyLength > Math.Max(shape.KeyLength, 1))
            throw new ArgumentException($"A row of {name} has {sizes.KeyLength} elements; it must have the shape's key length {shape.KeyLength}, 1 for all keys, or fewer, which hides the keys after them.", parameter);

        MaskLayout layout = mask.Strides is { } strides ? new(strides.Batch, strides.Head, strides.Query, sizes.KeyLength) : Contiguous(sizes, itemBits);
        if (layout.Batch < 0 || layout.Head < 0 || layout.Query < 0)
            throw new ArgumentException($"The strides of {name} must not be negative: {mask.Strides}.", parameter);
        if (layout.Batch % itemBits != 0 || layout.Head % itemBits != 0 || layout.Query % itemBits != 0)
            throw new ArgumentException($"The strides of {name} are in bits and must be multiples of 8, since rows begin with a new byte: {mask.Strides}.", parameter);
        layout = layout with { Batch = sizes.Batch == 1 ? 0 : layout.Batch, Head = sizes.Heads == 1 ? 0 : layout.Head, Query = sizes.QueryLength == 1 ? 0 : layout.Query };

        if (shape.Batch == 0 || shape.QueryHeads == 0 || shape.QueryLength == 0)
            return layout;
        long needed = BufferValidation.Reach(sizes.Batch, layout.Batch / itemBits) + BufferValidation.Reach(sizes.Heads, layout.Head / itemBits)
            + BufferValidation.Reach(sizes.QueryLength, layout.Query / itemBits) + ((long)sizes.KeyLength + itemBits - 1) / itemBits;
        if (mask.Length < needed)
            throw new ArgumentException($"{name} has {mask.Length} elements; {(mask.Strides is null ? "its sizes" : "its sizes and strides")} [{sizes.Batch}, {sizes.Heads}, {sizes.QueryLength}, {sizes.KeyLength}] need {needed}.", parameter);
        return layout;

        void CheckSize(int size, int expected, string axis)
        {
            if (size != 1 && size != expected)
                throw new ArgumentException($"The sizes of {name} have {axis} {size}; it must be the shape's {expected}, or 1 for all.", parameter);
        }
    }

    /// <summary>The sizes of a mask given without sizes: the shape's full size, or the same for all query heads.</summary>
    private static AttentionMaskSizes Infer(in MaskTensor mask, in AttentionShape shape, int itemBits, AttentionFeatures name, string parameter)
    {
        Int128 rowItems = (shape.KeyLength + (Int128)itemBits - 1) / itemBits, head = rowItems * shape.QueryLength, shared = head * shape.Batch, full = shared * shape.QueryHeads;
        if (mask.Length == full)
            return new(shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength);
        if (mask.Length == shared && shape.Batch == shape.QueryHeads)
            throw new ArgumentException($"{name} has {mask.Length} elements, a mask for each sequence or one for each query head, of which there are {shape.Batch} both: {Advice(mask)}.", parameter);
        if (mask.Length == shared)
            return new(shape.Batch, 1, shape.QueryLength, shape.KeyLength);
        throw new ArgumentException(
            $"{name} has {mask.Length} elements. Without sizes it must have {full}, [{shape.Batch}, {shape.QueryHeads}, {shape.QueryLength}, {shape.KeyLength}], or {shared}, [{shape.Batch}, 1, {shape.QueryLength}, {shape.KeyLength}]; else {Advice(mask)}.", parameter);

        static string Advice(in MaskTensor mask) =>
            $"give its sizes, new {MaskTensor.FeatureOf(mask.Element)}(elements, new AttentionMaskSizes(batch, heads, queryLength, keyLength))";
    }

    private static MaskLayout Contiguous(in AttentionMaskSizes sizes, int itemBits)
    {
        long row = (sizes.KeyLength + (long)itemBits - 1) / itemBits * itemBits;
        Int128 head = (Int128)row * sizes.QueryLength, sequence = head * sizes.Heads;

        // A number too large for a span is refused when it is compared with the span's length.
        return new((long)Int128.Min(sequence, long.MaxValue / itemBits * itemBits), (long)head, row, sizes.KeyLength);
    }
}
