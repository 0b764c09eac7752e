namespace FastAttn.Runtime;

/// <summary>
/// The normalisation of each row: (x − μ)·g / √(mean((x − μ)²) + ε) + b, with the mean μ of the row or 0; x is the input or its sum with a residual.
/// </summary>
internal readonly unsafe struct NormOperation : IRowOperation
{
    public RowFunctions Functions { get; init; }

    /// <summary>[rows, dim].</summary>
    public float* Input { get; init; }

    /// <summary>[rows, dim]: what is added to the input; null for nothing.</summary>
    public float* Residual { get; init; }

    /// <summary>[rows, dim]: where the sum with the residual is written, either the residual or the output; null if there is none.</summary>
    public float* Sum { get; init; }

    /// <summary>[dim]: g, minus <see cref="WeightOffset"/>.</summary>
    public float* Weight { get; init; }

    /// <summary>[dim]: b; null for zeros.</summary>
    public float* Bias { get; init; }

    /// <summary>[rows, dim], written; may be the input.</summary>
    public float* Output { get; init; }

    /// <inheritdoc/>
    public long Rows { get; init; }

    /// <inheritdoc/>
    public int RowFloats { get; init; }

    public float WeightOffset { get; init; }

    public float Epsilon { get; init; }

    /// <summary>Whether the mean is subtracted.</summary>
    public bool IsCentred { get; init; }

    /// <inheritdoc/>
    public void Run(long firstRow, long rows)
    {
        for (long row = firstRow; row < firstRow + rows; row++)
            Functions.Normalise(this, row);
    }
}
