using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The keys and values of the key-value head that a tile's queries read.</summary>
internal static unsafe class HeadRows
{
    /// <summary>The keys.</summary>
    /// <param name="operands">The call's buffers.</param>
    /// <param name="rows">The queries.</param>
    /// <param name="place">Memory for their place, as long as they are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Keys(in CallOperands operands, in TileRowMap rows, StoredPlace* place) => Of(operands, operands.Key, operands.HeadDim, rows, place);

    /// <summary>The values; none where the call has none.</summary>
    /// <param name="operands">The call's buffers.</param>
    /// <param name="rows">The queries.</param>
    /// <param name="place">Memory for their place, as long as they are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Values(in CallOperands operands, in TileRowMap rows, StoredPlace* place) => Of(operands, operands.Value, operands.ValueDim, rows, place);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StoredRows Of(in CallOperands operands, in CallOperands.Stored stored, int dim, in TileRowMap rows, StoredPlace* place)
    {
        bool isPlain = operands.PageTable == null && stored.Element != AttentionElement.Int8;
        if (!isPlain)
            *place = PlaceOf(operands, stored, dim, rows);
        ref readonly AttentionStrides strides = ref stored.Strides;
        long head = rows.KeyValueHead * strides.Head, sequence = operands.PageTable == null ? rows.KeyBatch * strides.Batch + rows.KeyStart * strides.Length : 0;
        return new()
        {
            Start = stored.Start == null ? null : stored.Start + AttentionInput.BytesOf(stored.Element, sequence + head),
            Stride = AttentionInput.BytesOf(stored.Element, strides.Length),
            Element = stored.Element,
            Place = isPlain ? null : place,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static StoredPlace PlaceOf(in CallOperands operands, in CallOperands.Stored stored, int dim, in TileRowMap rows)
    {
        ref readonly AttentionStrides scales = ref stored.ScaleStrides;
        bool isPaged = operands.PageTable != null;
        long sequence = isPaged ? 0 : rows.KeyBatch * scales.Batch + rows.KeyStart * scales.Length;
        return new()
        {
            Pages = isPaged ? operands.PageTable + (long)rows.KeyBatch * operands.PagesOfSequence : null,
            PageSize = operands.PageSize,
            PageStride = AttentionInput.BytesOf(stored.Element, stored.Strides.Batch),
            Scales = stored.HasTokenScales ? stored.Scales + sequence + rows.KeyValueHead * scales.Head : null,
            ScaleStride = scales.Length,
            ScalePageStride = scales.Batch,
            ColumnScales = stored.ChannelScales(rows.KeyValueHead, dim),
        };
    }
}
