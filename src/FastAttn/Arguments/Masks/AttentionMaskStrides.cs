namespace FastAttn;

/// <summary>
/// Where the rows of a mask that is part of a larger buffer are: that of query <c>i</c> in head <c>h</c> of sequence <c>b</c> begins at element
/// <c>b·Batch + h·Head + i·Query</c> and is contiguous, one element per key.
/// </summary>
/// <remarks>Strides are not negative. The stride of an axis of size 1 is ignored. An element of a mask of bits is a bit, and its strides are multiples of 8.</remarks>
public readonly record struct AttentionMaskStrides
{
    /// <summary>Sets the strides.</summary>
    /// <param name="batch">Elements from one sequence to the next.</param>
    /// <param name="head">Elements from one query head to the next.</param>
    /// <param name="query">Elements from one query to the next.</param>
    public AttentionMaskStrides(long batch, long head, long query)
    {
        Batch = batch;
        Head = head;
        Query = query;
    }

    /// <summary>Elements from one sequence to the next.</summary>
    public long Batch { get; init; }

    /// <summary>Elements from one query head to the next.</summary>
    public long Head { get; init; }

    /// <summary>Elements from one query to the next.</summary>
    public long Query { get; init; }
}
