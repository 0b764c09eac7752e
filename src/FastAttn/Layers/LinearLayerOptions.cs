namespace FastAttn;

/// <summary>What a <see cref="LinearLayer"/> is: its dimensions, the order and type of its weights, and what is applied to its outputs.</summary>
public sealed record LinearLayerOptions
{
    /// <summary>The floats in a row of the input, at least 1.</summary>
    public required int InputDim { get; init; }

    /// <summary>The floats in a row of the output, at least 1.</summary>
    public required int OutputDim { get; init; }

    /// <summary>The order in which the weights are given.</summary>
    public required WeightLayout Layout { get; init; }

    /// <summary>f: what is applied to each output before a residual is added.</summary>
    public Activation Activation { get; init; }

    /// <summary>
    /// How the layer keeps its weights; null for as they are given. Floats, halves and bfloat16 numbers are rounded to nearest, ties to even.
    /// <see cref="FastAttn.WeightPrecision.Int8"/> gives each output the scale <c>max|w| / 127</c>, so that a weight is off by at most half of it; weights must then
    /// be finite. A finite weight that is too large for a finite number of another type is refused. Weights that are given as integers stay integers.
    /// </summary>
    public WeightPrecision? WeightPrecision { get; init; }
}
