using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Prefetches the rows of each mask for a block of keys. Bit masks have too few bytes to be worth it.</summary>
/// <param name="ahead">The prefetcher to which the rows are added.</param>
/// <param name="first">The block's first key.</param>
/// <param name="count">Its keys.</param>
/// <param name="rows">Queries.</param>
internal unsafe ref struct MaskPrefetch(ref Prefetcher ahead, int first, int count, int rows) : IMaskVisitor
{
    private readonly ref Prefetcher _ahead = ref ahead;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Visit<TElement>(in MaskRows mask)
        where TElement : struct, IMaskElement
    {
        const int Byte = 8;
        if (TElement.Bits >= Byte && !mask.RepeatsKeys)
            _ahead.AddBytes((byte*)*mask.Rows + (long)first * TElement.Bits / Byte, mask.Stride, (long)count * TElement.Bits / Byte, rows);
    }
}
