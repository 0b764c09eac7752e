using System;

namespace FastAttn;

/// <summary>
/// Where a row of a mask stands: that of query <c>i</c> in head <c>h</c> of sequence <c>b</c> begins at element
/// <c>b·Batch + h·Head + i·Query</c> and has <paramref name="KeyLength"/> elements, contiguous, one a key.
/// </summary>
/// <param name="Batch">Elements from one sequence to the next; 0 if all share one mask.</param>
/// <param name="Head">Elements from one query head to the next; 0 if all share one mask.</param>
/// <param name="Query">Elements from one query to the next; 0 if all share one row.</param>
/// <param name="KeyLength">
/// Elements in a row. 1 is an axis of size 1: the element stands for all keys, as numpy and PyTorch repeat it. Other rows that are shorter
/// than the call's keys hide the keys after them, as in ONNX Attention-24.
/// </param>
/// <remarks>Strides are not negative. An element of a packed mask is a bit, and its strides are multiples of 8.</remarks>
public readonly record struct AttentionMaskStrides(long Batch, long Head, long Query, int KeyLength)
{
    /// <summary>The strides of a contiguous mask [batch, heads, queryLength, keyLength]; an axis of size 1 is repeated as often as the call needs.</summary>
    /// <param name="batch">Sequences, or 1.</param>
    /// <param name="heads">Query heads, or 1.</param>
    /// <param name="queryLength">Queries, or 1.</param>
    /// <param name="keyLength">Keys, or 1. From 2 on, fewer than the call has hide the rest; 0 hides all.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative.</exception>
    public static AttentionMaskStrides Of(int batch, int heads, int queryLength, int keyLength) => Of(batch, heads, queryLength, keyLength, keyLength);

    /// <summary>As <see cref="Of(int, int, int, int)"/> for a packed mask: each row begins with a new byte.</summary>
    /// <inheritdoc cref="Of(int, int, int, int)"/>
    public static AttentionMaskStrides OfPacked(int batch, int heads, int queryLength, int keyLength) =>
        Of(batch, heads, queryLength, keyLength, (keyLength + 7L) & ~7L);

    /// <summary>Whether a row has one element, for all keys.</summary>
    internal bool RepeatsKeys => KeyLength == 1;

    private static AttentionMaskStrides Of(int batch, int heads, int queryLength, int keyLength, long row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegative(heads);
        ArgumentOutOfRangeException.ThrowIfNegative(queryLength);
        ArgumentOutOfRangeException.ThrowIfNegative(keyLength);
        Int128 head = (Int128)row * queryLength, sequence = head * heads;
        if (sequence > long.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(batch), batch, "The mask has more elements than a span can hold.");
        return new(batch == 1 ? 0 : (long)sequence, heads == 1 ? 0 : (long)head, queryLength == 1 ? 0 : row, keyLength);
    }
}
