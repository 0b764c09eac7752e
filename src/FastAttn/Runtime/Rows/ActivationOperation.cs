namespace FastAttn.Runtime;

/// <summary>An activation, times another number if there is one: y[i] = f(x[i]) or f(x[i])·z[i]. A row is one element.</summary>
internal readonly unsafe struct ActivationOperation : IRowOperation
{
    public RowFunctions Functions { get; init; }

    public Activation Activation { get; init; }

    /// <summary>x: <see cref="Rows"/> floats.</summary>
    public float* Input { get; init; }

    /// <summary>z: as many; null for none.</summary>
    public float* Factor { get; init; }

    /// <summary>y: as many, written; may be one of the inputs.</summary>
    public float* Output { get; init; }

    /// <inheritdoc/>
    public long Rows { get; init; }

    /// <inheritdoc/>
    public int RowFloats => 1;

    /// <inheritdoc/>
    public void Run(long firstRow, long rows)
    {
        if (Factor == null)
            Functions.Activate(Activation, Input + firstRow, Output + firstRow, rows);
        else
            Functions.ActivateAndMultiply(Activation, Input + firstRow, Factor + firstRow, Output + firstRow, rows);
    }
}
