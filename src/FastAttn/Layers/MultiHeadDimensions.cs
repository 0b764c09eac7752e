using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>The sizes of a layer, checked, with every default filled in.</summary>
/// <param name="Model">d_model.</param>
/// <param name="Heads">h.</param>
/// <param name="KeyValueHeads">h_kv.</param>
/// <param name="Head">d_k.</param>
/// <param name="Value">d_v.</param>
/// <param name="QueryInput">Floats in a row of the query input.</param>
/// <param name="KeyInput">Floats in a row of the key input.</param>
/// <param name="ValueInput">Floats in a row of the value input.</param>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the constructor's parameter.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the constructor's parameter.")]
internal readonly record struct MultiHeadDimensions(int Model, int Heads, int KeyValueHeads, int Head, int Value, int QueryInput, int KeyInput, int ValueInput)
{
    /// <summary>Floats in a token's queries.</summary>
    public int Queries => Heads * Head;

    /// <summary>Floats in a token's keys.</summary>
    public int Keys => KeyValueHeads * Head;

    /// <summary>Floats in a token's values.</summary>
    public int Values => KeyValueHeads * Value;

    /// <summary>Floats in a token's attention output, before W_O.</summary>
    public int Attended => Heads * Value;

    /// <summary>Reads them from options.</summary>
    /// <exception cref="ArgumentException">A size does not fit; the parameter is <c>options</c>.</exception>
    public static MultiHeadDimensions Of(MultiHeadAttentionOptions options)
    {
        int model = AtLeastOne(options.ModelDim, nameof(options.ModelDim)), heads = AtLeastOne(options.Heads, nameof(options.Heads));
        int keyValueHeads = AtLeastOne(options.KeyValueHeads ?? heads, nameof(options.KeyValueHeads));
        if (heads % keyValueHeads != 0)
            throw new ArgumentException($"Heads {heads} is not a multiple of KeyValueHeads {keyValueHeads}.", nameof(options));
        if ((options.HeadDim is null || options.ValueDim is null) && model % heads != 0)
            throw new ArgumentException($"ModelDim {model} is not a multiple of Heads {heads}: HeadDim and ValueDim must be given.", nameof(options));

        MultiHeadDimensions dimensions = new(
            model,
            heads,
            keyValueHeads,
            OfHead(options.HeadDim ?? model / heads, nameof(options.HeadDim)),
            OfHead(options.ValueDim ?? model / heads, nameof(options.ValueDim)),
            AtLeastOne(options.QueryInputDim ?? model, nameof(options.QueryInputDim)),
            AtLeastOne(options.KeyInputDim ?? model, nameof(options.KeyInputDim)),
            AtLeastOne(options.ValueInputDim ?? model, nameof(options.ValueInputDim)));
        if ((long)heads * Math.Max(dimensions.Head, dimensions.Value) > Array.MaxLength)
            throw new ArgumentException($"Heads {heads} of dimensions {dimensions.Head} and {dimensions.Value} are more than a span can hold.", nameof(options));
        if (options.NormAfterRotary && options.Rotary is null)
            throw new ArgumentException("NormAfterRotary names a rotary embedding that the layer does not have.", nameof(options));
        if (options.Rotary is { } rotary && rotary.Dim > dimensions.Head)
            throw new ArgumentException($"Rotary turns {rotary.Dim} dimensions; the head dimension is {dimensions.Head}.", nameof(options));
        if (!(options.NormEpsilon >= 0 && float.IsFinite(options.NormEpsilon)))
            throw new ArgumentOutOfRangeException(nameof(options), options.NormEpsilon, "NormEpsilon must be finite and not negative.");
        if (options.NormKind is not (NormKind.Rms or NormKind.Layer))
            throw new ArgumentOutOfRangeException(nameof(options), options.NormKind, "NormKind is not defined.");
        if (options.NormScope is not (NormScope.Head or NormScope.AllHeads))
            throw new ArgumentOutOfRangeException(nameof(options), options.NormScope, "NormScope is not defined.");
        if (!float.IsFinite(options.NormFactorOffset))
            throw new ArgumentOutOfRangeException(nameof(options), options.NormFactorOffset, "NormFactorOffset must be finite.");
        LayerValidation.CheckPrecision(options.WeightPrecision);
        CallValidation.CheckWithoutShape(options.Complete(default));
        if (options.Mask is not (AttentionMask.None or AttentionMask.Causal))
            throw new ArgumentOutOfRangeException(nameof(options), options.Mask, "The mask is not defined.");
        return dimensions;

        static int AtLeastOne(int size, string name) =>
            size >= 1 ? size : throw new ArgumentOutOfRangeException(nameof(options), size, $"{name} must be at least 1.");

        static int OfHead(int size, string name) => size is >= 1 and <= ScaledDotProductAttention.MaxDim
            ? size
            : throw new ArgumentOutOfRangeException(nameof(options), size, $"{name} must be 1 to {ScaledDotProductAttention.MaxDim}.");
    }
}
