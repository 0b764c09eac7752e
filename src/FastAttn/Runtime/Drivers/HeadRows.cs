using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The keys and values of the key-value head that a tile's queries read.</summary>
internal static unsafe class HeadRows
{
    /// <summary>The keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Keys(in CallOperands operands, in TileRowMap rows) => Of(operands, operands.Key, operands.HeadDim, rows);

    /// <summary>The values; none where the call has none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Values(in CallOperands operands, in TileRowMap rows) => Of(operands, operands.Value, operands.ValueDim, rows);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static StoredRows Of(in CallOperands operands, in CallOperands.Stored stored, int dim, in TileRowMap rows)
    {
        if (stored.Start == null)
            return default;
        AttentionElement element = stored.Element;
        ref readonly AttentionStrides strides = ref stored.Strides, scaleStrides = ref stored.ScaleStrides;
        bool isPaged = operands.PageTable != null;
        long head = rows.KeyValueHead, sequence = isPaged ? 0 : rows.KeyBatch, token = isPaged ? 0 : rows.KeyStart;
        StoredRows found = new()
        {
            Start = stored.Start + AttentionInput.BytesOf(element, sequence * strides.Batch + head * strides.Head + token * strides.Length),
            Stride = AttentionInput.BytesOf(element, strides.Length),
            Element = element,
            Scales = stored.HasTokenScales ? stored.Scales + sequence * scaleStrides.Batch + head * scaleStrides.Head + token * scaleStrides.Length : null,
            ScaleStride = scaleStrides.Length,
            ColumnScales = stored.ChannelScales(rows.KeyValueHead, dim),
        };
        return !isPaged ? found : found with
        {
            Pages = operands.PageTable + (long)rows.KeyBatch * operands.PagesOfSequence,
            PageSize = operands.PageSize,
            PageStride = AttentionInput.BytesOf(element, strides.Batch),
            ScalePageStride = scaleStrides.Batch,
        };
    }
}
