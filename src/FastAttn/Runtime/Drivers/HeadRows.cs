using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The keys and values of the key-value head that a tile's queries read.</summary>
internal static unsafe class HeadRows
{
    /// <summary>The keys.</summary>
    /// <param name="operands">The call's buffers.</param>
    /// <param name="rows">The queries.</param>
    /// <param name="pagesAndScales">Memory for their pages and scales, which must live as long as they are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Keys(in CallOperands operands, in TileRowMap rows, PagesAndScales* pagesAndScales) => Of(operands, operands.Key, operands.HeadDim, rows, pagesAndScales);

    /// <summary>The values; none if the call has none.</summary>
    /// <param name="operands">The call's buffers.</param>
    /// <param name="rows">The queries.</param>
    /// <param name="pagesAndScales">Memory for their pages and scales, which must live as long as they are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Values(in CallOperands operands, in TileRowMap rows, PagesAndScales* pagesAndScales) => Of(operands, operands.Value, operands.ValueDim, rows, pagesAndScales);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StoredRows Of(in CallOperands operands, in CallOperands.Stored stored, int dim, in TileRowMap rows, PagesAndScales* pagesAndScales)
    {
        bool isPlain = operands.PageTable == null && !AttentionInput.HasScales(stored.Element);
        if (!isPlain)
            *pagesAndScales = PagesAndScalesOf(operands, stored, dim, rows);
        ref readonly AttentionStrides strides = ref stored.Strides;
        long head = rows.KeyValueHead * strides.Head, sequence = operands.PageTable == null ? rows.KeyBatch * strides.Batch + rows.KeyStart * strides.Length : 0;
        return new()
        {
            Start = stored.Start == null ? null : stored.Start + AttentionInput.BytesOf(stored.Element, sequence + head),
            Stride = AttentionInput.BytesOf(stored.Element, strides.Length),
            Element = stored.Element,
            PagesAndScales = isPlain ? null : pagesAndScales,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static PagesAndScales PagesAndScalesOf(in CallOperands operands, in CallOperands.Stored stored, int dim, in TileRowMap rows)
    {
        ref readonly AttentionStrides scales = ref stored.ScaleStrides;
        bool isPaged = operands.PageTable != null;
        bool areOver32Tokens = stored.Element == AttentionElement.Int4;
        int firstScale = areOver32Tokens ? rows.KeyStart / AttentionInput.ScaledTokens : rows.KeyStart;
        long first = (isPaged ? 0 : rows.KeyBatch * scales.Batch + firstScale * scales.Length) + rows.KeyValueHead * scales.Head;
        return new()
        {
            Pages = isPaged ? operands.PageTable + (long)rows.KeyBatch * operands.PagesOfSequence : null,
            PageSize = operands.PageSize,
            PageStride = AttentionInput.BytesOf(stored.Element, stored.Strides.Batch),
            Scales = stored.HasTokenScales ? (float*)stored.Scales + first : null,
            Columns = dim,
            ScalesAndMinima = areOver32Tokens ? (ushort*)stored.Scales + first : null,
            ScaleStride = scales.Length,
            ScalePageStride = scales.Batch,
            ColumnScales = stored.ChannelScales(rows.KeyValueHead, dim),
        };
    }
}
