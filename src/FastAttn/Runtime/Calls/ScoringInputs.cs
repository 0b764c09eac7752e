namespace FastAttn.Runtime;

/// <summary>What decides what becomes of the scores of a call.</summary>
internal unsafe struct ScoringInputs
{
    /// <summary>The factor of each product of a query and a key.</summary>
    public double Scale;

    /// <summary>The bound c of c·tanh(s / c), where the call uses it.</summary>
    public float Cap;

    /// <summary>[H], or null without ALiBi.</summary>
    public float* AlibiSlopes;

    /// <summary>[H], or null without sinks.</summary>
    public float* Sinks;
}
