using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The keys and values of the key-value head that a tile's queries read.</summary>
internal static unsafe class HeadRows
{
    /// <summary>The keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BlockRows Keys(in CallOperands operands, in TileRowMap rows) => new(operands.Key + rows.KeyOffset(operands.KeyStrides), operands.KeyStrides.Length);

    /// <summary>The values; none where the call has none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BlockRows Values(in CallOperands operands, in TileRowMap rows) =>
        operands.Value == null ? default : new(operands.Value + rows.KeyOffset(operands.ValueStrides), operands.ValueStrides.Length);
}
