namespace FastAttn.Runtime;

/// <summary>The softmax of each row.</summary>
internal readonly unsafe struct SoftmaxOperation : IRowOperation
{
    public RowFunctions Functions { get; init; }

    /// <summary>[rows, dim].</summary>
    public float* Input { get; init; }

    /// <summary>[rows, dim], written; may be the input.</summary>
    public float* Output { get; init; }

    /// <inheritdoc/>
    public long Rows { get; init; }

    /// <inheritdoc/>
    public int RowFloats { get; init; }

    /// <inheritdoc/>
    public void Run(long firstRow, long rows)
    {
        for (long start = firstRow * RowFloats; rows > 0; rows--, start += RowFloats)
            Functions.Softmax(Input + start, Output + start, RowFloats);
    }
}
