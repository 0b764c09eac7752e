namespace FastAttn;

/// <summary>What a <see cref="LinearLayer"/> is: its dimensions and how its weights stand.</summary>
public sealed record LinearLayerOptions
{
    /// <summary>The floats in a row of the input, at least 1.</summary>
    public required int InputDim { get; init; }

    /// <summary>The floats in a row of the output, at least 1.</summary>
    public required int OutputDim { get; init; }

    /// <summary>The order in which the weights are given.</summary>
    public required WeightLayout Layout { get; init; }
}
