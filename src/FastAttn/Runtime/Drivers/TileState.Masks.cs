using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>Masks: which keys a query may see at all, and what is added to a block of scores.</content>
internal unsafe partial struct TileState<TVector, TSpec>
{
    /// <summary>The start of a row of a mask.</summary>
    public readonly void* MaskRow<TElement>(in MaskOperand mask, int row)
        where TElement : struct, IMaskElement => (byte*)mask.Start + Rows.MaskOffset(row, mask.Strides) * TElement.Bits / 8;

    /// <summary>Whether some mask hides all keys of a block from each query. Where none does, the first query mostly shows it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly bool MasksHide(in AttentionCall call, int first, int count)
    {
        if (!Features.Uses<TSpec>(call.Uses, AttentionCall.MaskFeatures))
            return false;
        for (int q = 0; q < Tile.RowCount; q++)
        {
            (int start, int limit) = (Math.Max(Starts[q], first), Math.Min(Limits[q], first + count));
            if (start < limit)
                (start, limit) = WithoutHidden(call, q, start, limit);
            if (start < limit)
                return false;
        }

        return true;
    }

    /// <summary>
    /// A query's range without the keys at its ends that some mask hides. They are not computed then, so that a causal mask or padding
    /// that comes as a tensor costs about what it does where it is declared.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly (int Start, int Limit) WithoutHidden(in AttentionCall call, int row, int start, int limit)
    {
        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.AdditiveMask))
            Narrow((int*)MaskRow<FloatElement>(call.AdditiveMask, row), BitConverter.SingleToInt32Bits(float.NegativeInfinity), call.AdditiveMask.Strides, ref start, ref limit);
        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.BooleanMask))
            Narrow((byte*)MaskRow<BooleanElement>(call.BooleanMask, row), (byte)0, call.BooleanMask.Strides, ref start, ref limit);
        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.PackedMask))
        {
            var bytes = (byte*)MaskRow<BitElement>(call.PackedMask, row);
            if (call.PackedMask.Strides.RepeatsKeys)
                return (start, IsHidden(bytes, 0) ? start : limit);
            while (start < limit && IsHidden(bytes, limit - 1))
                limit -= limit % 8 == 0 && limit - start >= 8 && bytes[limit / 8 - 1] == 0 ? 8 : 1;
            while (start < limit && IsHidden(bytes, start))
                start += start % 8 == 0 && limit - start >= 8 && bytes[start / 8] == 0 ? 8 : 1;
        }

        return (start, limit);

        static void Narrow<T>(T* row, T hidden, in AttentionMaskStrides strides, ref int start, ref int limit)
            where T : unmanaged, IEquatable<T>
        {
            if (strides.RepeatsKeys)
            {
                limit = row->Equals(hidden) ? start : limit;
                return;
            }

            ReadOnlySpan<T> elements = new(row + start, limit - start);
            limit = start + elements.LastIndexOfAnyExcept(hidden) + 1;
            if (start < limit)
                start += elements.IndexOfAnyExcept(hidden);
        }

        static bool IsHidden(byte* bytes, int key) => (bytes[key / 8] >> key % 8 & 1) == 0;
    }

    /// <summary>Whether each mask of the call has one row for all queries.</summary>
    private readonly bool ShareMasks(in AttentionCall call) =>
        (!Features.Uses<TSpec>(call.Uses, AttentionFeatures.AdditiveMask) || IsOneRow(call.AdditiveMask))
        && (!Features.Uses<TSpec>(call.Uses, AttentionFeatures.BooleanMask) || IsOneRow(call.BooleanMask))
        && (!Features.Uses<TSpec>(call.Uses, AttentionFeatures.PackedMask) || IsOneRow(call.PackedMask));

    private readonly bool IsOneRow(in MaskOperand mask) => mask.Strides.Query == 0 && (mask.Strides.Head == 0 || Rows.IsOneHead);

    /// <summary>bias[j][q] = M[q][j] of one block, laid over the masks that are there already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackMask<TElement>(in MaskOperand mask, int first, int count, ref bool overlay)
        where TElement : struct, IMaskElement
    {
        if (mask.Strides.RepeatsKeys)
            PackRows<RepeatedElement<TElement>>(mask, first, count, overlay);
        else
            PackRows<TElement>(mask, first, count, overlay);
        overlay = true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackRows<TElement>(in MaskOperand mask, int first, int count, bool overlay)
        where TElement : struct, IMaskElement
    {
        const float Scale = 1;
        byte* row = (byte*)MaskRow<TElement>(mask, 0);
        if (IsOneRow(mask))
        {
            LanePacking<TVector>.Repeat<TElement>(row, first, count, Scale, Block.Bias, Width, Stride, overlay);
        }
        else
        {
            // The rows of one head without a division for each.
            void** starts = stackalloc void*[Width];
            long step = mask.Strides.Query * TElement.Bits / 8;
            for (int q = 0; q < Width; q++)
                starts[q] = Rows.IsOneHead ? row + RowOf(q) * step : MaskRow<TElement>(mask, RowOf(q));
            LanePacking<TVector>.Pack<TElement>(starts, first, count, Scale, Block.Bias, Width, Stride, overlay);
        }
    }
}
