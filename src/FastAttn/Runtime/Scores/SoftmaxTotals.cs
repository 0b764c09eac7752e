namespace FastAttn.Runtime;

/// <summary>The state of the parts of the keys before the present one, where the keys are more than one part (<see cref="LongSum{TVector}"/>).</summary>
internal readonly unsafe struct SoftmaxTotals
{
    /// <summary>Ot.</summary>
    public float* Output { get; init; }

    /// <summary>What additions have rounded off <see cref="Output"/>.</summary>
    public float* OutputRest { get; init; }

    /// <summary>m.</summary>
    public float* Max { get; init; }

    /// <summary>l.</summary>
    public float* Sum { get; init; }

    /// <summary>What additions have rounded off <see cref="Sum"/>.</summary>
    public float* SumRest { get; init; }
}
