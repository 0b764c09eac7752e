namespace FastAttn;

/// <summary>
/// Where a row of a buffer stands: row (b, h, l) begins at element <c>b·Batch + h·Head + l·Length</c> and is contiguous.
/// </summary>
/// <param name="Batch">Elements from one sequence to the next.</param>
/// <param name="Head">Elements from one head to the next.</param>
/// <param name="Length">Elements from one token to the next.</param>
/// <remarks>
/// Strides are not negative. A stride of 0 repeats an input along that axis; rows of the output must not overlap.
/// </remarks>
public readonly record struct AttentionStrides(long Batch, long Head, long Length);
