using System;
using System.Runtime.CompilerServices;

namespace FastAttn;

/// <summary>
/// Where the rows of a buffer are: row (b, h, l) begins at element <c>b·Batch + h·Head + l·Length</c> and is contiguous.
/// </summary>
/// <remarks>
/// Strides are not negative. A stride of 0 repeats an input along that axis; rows of the output must not overlap.
/// </remarks>
public readonly record struct AttentionStrides
{
    /// <summary>Sets the strides.</summary>
    /// <param name="batch">Elements from one sequence to the next.</param>
    /// <param name="head">Elements from one head to the next.</param>
    /// <param name="length">Elements from one token to the next.</param>
    public AttentionStrides(long batch, long head, long length)
    {
        Batch = batch;
        Head = head;
        Length = length;
    }

    /// <summary>Elements from one sequence to the next.</summary>
    public long Batch { get; init; }

    /// <summary>Elements from one head to the next.</summary>
    public long Head { get; init; }

    /// <summary>Elements from one token to the next.</summary>
    public long Length { get; init; }

    /// <summary>The strides of a contiguous buffer with room for <paramref name="capacity"/> tokens of each sequence, of which a call may use fewer: a cache, for instance.</summary>
    /// <param name="layout">The order of its axes.</param>
    /// <param name="heads">Its heads.</param>
    /// <param name="capacity">The tokens that it has room for.</param>
    /// <param name="dim">Elements in a row.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative, or the layout is not defined.</exception>
    public static AttentionStrides Of(AttentionLayout layout, int heads, int capacity, int dim)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(heads);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        ArgumentOutOfRangeException.ThrowIfNegative(dim);
        Int128 batch = (Int128)heads * capacity * dim;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch, long.MaxValue, nameof(capacity));
        if (layout is not (AttentionLayout.BatchHeadLengthDim or AttentionLayout.BatchLengthHeadDim))
            throw new ArgumentOutOfRangeException(nameof(layout), layout, "The layout is not defined.");
        return Contiguous(layout, heads, capacity, dim);
    }

    /// <summary>As <see cref="Of"/>, for numbers and a layout that have been checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static AttentionStrides Contiguous(AttentionLayout layout, int heads, int tokens, int dim)
    {
        long headRow = (long)heads * dim, tokenRow = (long)tokens * dim;
        return layout == AttentionLayout.BatchHeadLengthDim ? new(heads * tokenRow, tokenRow, dim) : new(heads * tokenRow, dim, headRow);
    }
}
