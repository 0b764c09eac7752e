using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The keys and values of the key-value head that a tile's queries read.</summary>
internal static unsafe class HeadRows
{
    /// <summary>The keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Keys(in CallOperands operands, in TileRowMap rows) => Of(operands, operands.Key, rows);

    /// <summary>The values; none where the call has none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StoredRows Values(in CallOperands operands, in TileRowMap rows) => Of(operands, operands.Value, rows);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static StoredRows Of(in CallOperands operands, in CallOperands.Stored stored, in TileRowMap rows)
    {
        if (stored.Start == null)
            return default;
        int bytes = AttentionInput.BytesOf(stored.Element);
        ref readonly AttentionStrides strides = ref stored.Strides;
        byte* head = stored.Start + rows.KeyValueHead * strides.Head * bytes;
        if (operands.PageTable == null)
            return new() { Start = head + (rows.KeyBatch * strides.Batch + rows.KeyStart * strides.Length) * bytes, Stride = strides.Length * bytes, Element = stored.Element };
        return new()
        {
            Start = head,
            Stride = strides.Length * bytes,
            Element = stored.Element,
            Pages = operands.PageTable + (long)rows.KeyBatch * operands.PagesOfSequence,
            PageSize = operands.PageSize,
            PageStride = strides.Batch * bytes,
        };
    }
}
