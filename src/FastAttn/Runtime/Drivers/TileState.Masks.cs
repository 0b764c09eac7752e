namespace FastAttn.Runtime;

/// <content>Masks: where the rows of each query stand.</content>
internal unsafe partial struct TileState<TVector, TSpec>
{
    private const int MaskKinds = 3;

    private readonly TileMasks<TSpec> FindMasks(in AttentionCall call)
    {
        TileMasks<TSpec> masks = new(call.Uses);
        if (!masks.IsAny)
            return masks;
        if (Features.Uses<TSpec>(call.Uses, FloatElement.Feature))
            masks.Additive = FindRows<FloatElement>(call.AdditiveMask, _maskRows);
        if (Features.Uses<TSpec>(call.Uses, BooleanElement.Feature))
            masks.Boolean = FindRows<BooleanElement>(call.BooleanMask, _maskRows + Stride);
        if (Features.Uses<TSpec>(call.Uses, BitElement.Feature))
            masks.Bits = FindRows<BitElement>(call.BitMask, _maskRows + 2 * Stride);
        return masks;
    }

    private readonly MaskRows FindRows<TElement>(in MaskOperand mask, void** rows)
        where TElement : struct, IMaskElement
    {
        const int Byte = 8;
        long stride = mask.Strides.Query * TElement.Bits / Byte;
        byte* row = (byte*)mask.Start + Rows.MaskOffset(0, mask.Strides) * TElement.Bits / Byte;
        for (int q = 0; q < Width; q++)
        {
            // The rows of one head are found without a division for each.
            rows[q] = Rows.IsOneHead ? row + RowOf(q) * stride : (byte*)mask.Start + Rows.MaskOffset(RowOf(q), mask.Strides) * TElement.Bits / Byte;
        }

        return new(rows, mask.Strides.Query == 0 && (mask.Strides.Head == 0 || Rows.IsOneHead), mask.Strides.RepeatsKeys, stride);
    }
}
