namespace FastAttn;

/// <summary>
/// What a <see cref="MultiHeadAttention"/> layer is: its dimensions, mask, scale, softcap, window, rotary embedding and normalisation, and the type of
/// its weights. The weights are in <see cref="MultiHeadAttentionWeights"/>. What differs from call to call, such as lengths, offsets and masks as tensors, is in
/// a call's <see cref="AttentionOptions"/>, and how a call runs in <see cref="AttentionExecution"/>.
/// </summary>
public sealed record MultiHeadAttentionOptions
{
    /// <summary>d_model: the floats in a row of the output and, unless set otherwise, of every input.</summary>
    public required int ModelDim { get; init; }

    /// <summary>Number of query heads h.</summary>
    public required int Heads { get; init; }

    /// <summary>
    /// Number of key and value heads; <see cref="Heads"/> if null. Fewer is grouped-query attention (arXiv 2305.13245),
    /// 1 multi-query: query head <c>i</c> reads key-value head <c>i / (Heads / KeyValueHeads)</c>.
    /// </summary>
    public int? KeyValueHeads { get; init; }

    /// <summary>d_k: the floats of a head's query or key, 1 to 1024; <c>ModelDim / Heads</c> if null.</summary>
    public int? HeadDim { get; init; }

    /// <summary>d_v: the floats of a head's value, 1 to 1024; <c>ModelDim / Heads</c> if null.</summary>
    public int? ValueDim { get; init; }

    /// <summary>The floats in a row of the query input; <see cref="ModelDim"/> if null.</summary>
    public int? QueryInputDim { get; init; }

    /// <summary>The floats in a row of the key input; <see cref="ModelDim"/> if null.</summary>
    public int? KeyInputDim { get; init; }

    /// <summary>The floats in a row of the value input; <see cref="ModelDim"/> if null.</summary>
    public int? ValueInputDim { get; init; }

    /// <summary>Which keys a query may attend to.</summary>
    public AttentionMask Mask { get; init; }

    /// <summary>The factor of the scores; <c>1/√d_k</c> if null. Use 1 for none.</summary>
    public float? Scale { get; init; }

    /// <summary>As <see cref="AttentionOptions.Softcap"/>; null for none.</summary>
    public float? Softcap { get; init; }

    /// <summary>As <see cref="AttentionOptions.Window"/>; null for all keys.</summary>
    public AttentionWindow? Window { get; init; }

    /// <summary>Rotates projected queries and keys by their positions; null for none.</summary>
    public RotaryEmbedding? Rotary { get; init; }

    /// <summary>
    /// The formula of the normalisation of projected queries and keys, which is applied if the weights have
    /// <see cref="MultiHeadAttentionWeights.QueryNorm"/> or <see cref="MultiHeadAttentionWeights.KeyNorm"/>.
    /// </summary>
    public NormKind NormKind { get; init; }

    /// <summary>The elements over which the normalisation takes its means.</summary>
    public NormScope NormScope { get; init; }

    /// <summary>Whether the normalisation follows the rotary embedding (Llama 4, Hunyuan) instead of preceding it.</summary>
    public bool NormAfterRotary { get; init; }

    /// <summary>ε of the normalisation; finite, not negative.</summary>
    public float NormEpsilon { get; init; } = 1e-6f;

    /// <summary>
    /// What is added to the normalisation's factors; finite. 1 for checkpoints that store the factor minus 1, as Gemma's do.
    /// </summary>
    public float NormFactorOffset { get; init; }

    /// <summary>
    /// How the layer keeps the weights of its projections, rounded as <see cref="LinearLayerOptions.WeightPrecision"/> says. Everything else is float32, biases and
    /// products too.
    /// </summary>
    public WeightPrecision WeightPrecision { get; init; }

    /// <summary>What a call of the layer computes: the layer's options and those of the call.</summary>
    internal AttentionOptions Complete(in AttentionOptions call) => call with { Scale = Scale, Softcap = Softcap, Window = Window };

    /// <summary>Refuses a call that sets an option of the layer.</summary>
    /// <exception cref="System.ArgumentException">It does.</exception>
    internal static void CheckCall(in AttentionOptions options)
    {
        if (options.Scale is not null || options.Softcap is not null || options.Window is not null)
            throw new System.ArgumentException("Scale, Softcap and Window are the layer's (MultiHeadAttentionOptions); they must not be given for a call.", nameof(options));
    }
}
