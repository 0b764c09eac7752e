using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The keys and values of the key-value head that a tile's queries read.</summary>
internal static unsafe class HeadRows
{
    /// <summary>The keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BlockRows Keys(in CallOperands operands, in TileRowMap rows) =>
        BlockRows.Of(operands.Key, operands.KeyElement, operands.KeyStrides, rows.KeyBatch, rows.KeyValueHead, rows.KeyStart);

    /// <summary>The values; none where the call has none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BlockRows Values(in CallOperands operands, in TileRowMap rows) =>
        BlockRows.Of(operands.Value, operands.ValueElement, operands.ValueStrides, rows.KeyBatch, rows.KeyValueHead, rows.KeyStart);
}
