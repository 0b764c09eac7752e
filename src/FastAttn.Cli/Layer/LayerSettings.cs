namespace FastAttn.Cli;

/// <summary>The options of <c>fastattn layer</c> that describe a layer, which a checkpoint does not do. A member is null where its option was not given.</summary>
internal sealed record LayerSettings
{
    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Which keys a query sees.</summary>
    public AttentionMask Mask { get; init; }

    /// <summary>Which keys a query sees by their distance.</summary>
    public AttentionWindow? Window { get; init; }

    /// <summary>The factor of the scores.</summary>
    public float? Scale { get; init; }

    /// <summary>As <see cref="AttentionOptions.Softcap"/>.</summary>
    public float? Softcap { get; init; }

    /// <summary>Which elements of a head a rotary embedding turns together.</summary>
    public RotaryPairing? Rotary { get; init; }

    /// <summary>The base of the rotary frequencies.</summary>
    public double? RotaryBase { get; init; }

    /// <summary>How many elements of a head are turned.</summary>
    public int? RotaryDim { get; init; }

    /// <summary>As <see cref="RotaryEmbedding.AttentionFactor"/>.</summary>
    public double? RotaryFactor { get; init; }

    /// <summary>Whether scores have ALiBi's biases, with the usual slopes.</summary>
    public bool Alibi { get; init; }

    /// <summary>The order of the outputs of a matrix that is query, key and value in one.</summary>
    public QkvOrder? QkvOrder { get; init; }

    /// <summary>What the normalisation of queries and keys is.</summary>
    public NormKind? Norm { get; init; }

    /// <summary>Whether that normalisation follows the rotary embedding.</summary>
    public bool NormAfterRotary { get; init; }

    /// <summary>What is added to the stored factors of that normalisation.</summary>
    public float? NormOffset { get; init; }

    /// <summary>The ε of that normalisation.</summary>
    public float? NormEpsilon { get; init; }

    /// <summary>The sinks, where they are in a file of their own.</summary>
    public InputArray? Sinks { get; init; }
}
