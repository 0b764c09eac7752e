using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>Checks the arguments of a layer's call, before anything is read or written.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal static class LayerValidation
{
    /// <summary>Self-attention projects queries, keys and values from the same rows.</summary>
    public static void CheckOneInput(in MultiHeadDimensions sizes, string name)
    {
        if (sizes.KeyInput != sizes.QueryInput || sizes.ValueInput != sizes.QueryInput)
            throw new ArgumentException($"Self-attention needs inputs of one dimension; the layer has {sizes.QueryInput}, {sizes.KeyInput} and {sizes.ValueInput}.", name);
    }

    /// <summary>The tokens of sequences of one length.</summary>
    public static BatchTokens CheckTokens(in MultiHeadDimensions sizes, int batch, int length, string lengthName, in AttentionExecution execution)
    {
        CheckSizes(batch, length, lengthName, execution);
        BatchTokens tokens = new() { Batch = batch, Length = length };
        CheckCount(sizes, tokens, lengthName);
        return tokens;
    }

    /// <summary>The tokens of sequences that follow each other without padding.</summary>
    /// <param name="sizes">The layer's sizes.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="length">Tokens of each at most.</param>
    /// <param name="lengthName">The parameter that has the length.</param>
    /// <param name="startsName">The property or parameter that has the starts.</param>
    /// <param name="starts">Where sequences begin.</param>
    /// <param name="parameter">The parameter that errors about the starts name.</param>
    /// <param name="execution">How the call runs.</param>
    public static BatchTokens CheckRagged(
        in MultiHeadDimensions sizes, int batch, int length, string lengthName, string startsName, ReadOnlySpan<int> starts, string parameter, in AttentionExecution execution)
    {
        CheckSizes(batch, length, lengthName, execution);
        CallValidation.CheckStarts(startsName, starts, batch, length, parameter);
        BatchTokens tokens = new() { Batch = batch, Length = length, Starts = starts };
        CheckCount(sizes, tokens, parameter);
        return tokens;
    }

    private static void CheckSizes(int batch, int length, string lengthName, in AttentionExecution execution)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        if (length < 0)
            throw new ArgumentOutOfRangeException(lengthName, length, "Must not be negative.");
        CallValidation.CheckExecution(execution);
    }

    private static void CheckCount(in MultiHeadDimensions sizes, in BatchTokens tokens, string parameter)
    {
        int widest = Math.Max(Math.Max(sizes.Queries, sizes.Attended), Math.Max(sizes.Keys, sizes.Values));
        if ((Int128)tokens.Count * widest > Array.MaxLength)
            throw new ArgumentOutOfRangeException(parameter, tokens.Count, $"A span cannot hold {tokens.ToString()} × {widest} floats of a token's heads.");
    }

    /// <summary>In self-attention queries and keys belong to the same tokens.</summary>
    public static void CheckSameStarts(in AttentionOptions options)
    {
        if (!options.QueryStarts.SequenceEqual(options.KeyStarts))
            throw new ArgumentException("Queries and keys are of the same tokens; QueryStarts and KeyStarts differ.", nameof(options));
    }

    public static void CheckRows(string name, int actual, in BatchTokens tokens, int width)
    {
        Int128 expected = (Int128)tokens.Count * width;
        if (actual < expected)
            throw new ArgumentException($"Has {actual} elements; {tokens.ToString()} × dimension {width} need {expected}.", name);
    }

    public static void CheckLengths(string name, string lengthsName, ReadOnlySpan<int> lengths, int batch, int length)
    {
        if (lengths.IsEmpty)
            return;
        if (lengths.Length != batch)
            throw new ArgumentException($"{lengthsName} has {lengths.Length} elements; expected {batch}, one for each sequence.", name);
        foreach (int own in lengths)
        {
            if (own < 0 || own > length)
                throw new ArgumentOutOfRangeException(name, own, $"{lengthsName} must be 0 to the length {length}.");
        }
    }

    /// <summary>Positions of a rotary embedding: none, or one for each axis and token.</summary>
    public static void CheckPositions(RotaryEmbedding? rotary, string name, ReadOnlySpan<int> positions, in BatchTokens tokens)
    {
        if (positions.IsEmpty)
            return;
        if (rotary is null)
            throw new ArgumentException("The layer has no rotary embedding, which alone has positions.", name);
        Int128 expected = (Int128)rotary.Axes * tokens.Count;
        if (positions.Length != expected)
            throw new ArgumentException($"Has {positions.Length} elements; axes {rotary.Axes} × {tokens.ToString()} need {expected}.", name);
        foreach (int position in positions)
            ArgumentOutOfRangeException.ThrowIfNegative(position, name);
    }

    /// <summary>
    /// A cache gives what one pass over all tokens gives if no token attends to later ones: under a causal mask, or a window that ends at the token.
    /// If a call brings its own mask, that says what each token sees.
    /// </summary>
    public static void CheckCausal(MultiHeadAttentionOptions layer, in AttentionOptions options, string name)
    {
        if (layer.Mask == AttentionMask.Causal || layer.Window is { Right: 0 })
            return;
        foreach (MaskElement element in MaskTensor.Elements)
        {
            if (options.MaskOf(element).IsGiven)
                return;
        }

        throw new ArgumentException(
            "The layer has no causal mask: in one pass over all tokens each would attend to later ones, which a cache does not hold yet. Give the layer Mask = AttentionMask.Causal or a window that ends at the token, or the call a mask.", name);
    }

    /// <summary>Refuses what the attention itself would refuse later, and what a layer does not take.</summary>
    /// <param name="options">What the call asks for.</param>
    /// <param name="shape">The attention's sizes.</param>
    /// <param name="arePositions">Whether position offsets are those of a rotary embedding.</param>
    /// <param name="output">The output: may be an input, but must not overlap a buffer of the options.</param>
    public static void CheckOptions(in AttentionOptions options, in AttentionShape shape, bool arePositions, ReadOnlySpan<float> output)
    {
        CallValidation.CheckApart(nameof(output), output, default, default, default, options);
        MultiHeadAttentionOptions.CheckCall(options);
        if (options.KeyPart is not null)
            throw new ArgumentException("A layer has all keys; KeyPart must not be given.", nameof(options));
        if (options.KeyPages.IsGiven)
            throw new ArgumentException("A layer's keys are its own, or in the pages of its cache; KeyPages must not be given.", nameof(options));
        CallValidation.CheckWithoutShape(options);
        AttentionCall ignored = default;
        CallValidation.CheckOptions(ref ignored, shape, options);
        int queryLength = options.QueryStarts.IsEmpty ? shape.QueryLength : CallValidation.Longest(options.QueryStarts);
        if (options.PositionOffset is { } common)
            CheckOffset(common);
        foreach (int offset in options.PositionOffsets)
            CheckOffset(offset);

        void CheckOffset(int offset)
        {
            if (arePositions && queryLength > 0 && (offset < 0 || offset + (long)queryLength - 1 > int.MaxValue))
                throw new ArgumentOutOfRangeException(nameof(options), offset, $"Position offsets are those of the rotary embedding where none are given; with {queryLength} queries they must be 0 to {int.MaxValue - (queryLength - 1L)}.");
        }
    }

    /// <summary>The weights of the softmax, if they are requested: their length, and that they overlap nothing else that a call takes.</summary>
    public static void CheckWeights(
        string name, ReadOnlySpan<float> weights, int batch, int heads, int queryLength, int keyLength,
        ReadOnlySpan<float> query, ReadOnlySpan<float> key, ReadOnlySpan<float> value, ReadOnlySpan<float> output, in AttentionOptions options)
    {
        if (weights.IsEmpty)
            return;
        if (!options.QueryStarts.IsEmpty)
            throw new ArgumentException("The weights of the softmax are those of sequences of one length: with QueryStarts they must not be asked for. A padded batch, with KeyLengths and QueryLengths, has them.", name);
        Int128 expected = (Int128)batch * heads * queryLength * keyLength;
        if (weights.Length < expected)
            throw new ArgumentException($"Has {weights.Length} elements; batch {batch} × heads {heads} × query length {queryLength} × key length {keyLength} need {expected}.", name);
        weights = weights[..(int)expected];
        CallValidation.CheckApart(name, weights, query, key, value, options);
        if (weights.Overlaps(output))
            throw new ArgumentException("Overlaps output.", name);
    }

    public static void CheckCache(in MultiHeadDimensions sizes, AttentionCache cache, string name)
    {
        ArgumentNullException.ThrowIfNull(cache, name);
        if (cache.KeyValueHeads != sizes.KeyValueHeads || cache.HeadDim != sizes.Head || cache.ValueDim != sizes.Value)
        {
            throw new ArgumentException(
                $"Is of {cache.KeyValueHeads} heads of dimensions {cache.HeadDim} and {cache.ValueDim}; the layer has {sizes.KeyValueHeads} of {sizes.Head} and {sizes.Value}.", name);
        }
    }

    /// <summary>The options, weights and bias of a linear layer.</summary>
    public static void CheckLinear(LinearLayerOptions options, int weights, int bias)
    {
        ArgumentNullException.ThrowIfNull(options);
        AtLeastOne(options.InputDim, nameof(options.InputDim));
        AtLeastOne(options.OutputDim, nameof(options.OutputDim));
        if (options.Layout is not (WeightLayout.OutputInput or WeightLayout.InputOutput))
            throw new ArgumentOutOfRangeException(nameof(options), options.Layout, "The layout is not defined.");
        if (!Enum.IsDefined(options.Activation))
            throw new ArgumentOutOfRangeException(nameof(options), options.Activation, "The activation is not defined.");
        if (options.WeightPrecision is { } precision)
            CheckPrecision(precision);
        long expected = (long)options.InputDim * options.OutputDim;
        if (weights != expected)
        {
            string shape = options.Layout == WeightLayout.OutputInput ? $"[{options.OutputDim}, {options.InputDim}]" : $"[{options.InputDim}, {options.OutputDim}]";
            throw new ArgumentException($"Has {weights} elements; {options.Layout} {shape} needs {expected}.", nameof(weights));
        }

        if (bias != 0 && bias != options.OutputDim)
            throw new ArgumentException($"Has {bias} elements; expected {options.OutputDim}.", nameof(bias));

        static void AtLeastOne(int size, string name)
        {
            if (size < 1)
                throw new ArgumentOutOfRangeException(nameof(options), size, $"{name} must be at least 1.");
        }
    }

    /// <summary>How weights are kept; errors name the parameter <c>options</c>.</summary>
    public static void CheckPrecision(WeightPrecision options)
    {
        if (options is not (WeightPrecision.Float32 or WeightPrecision.Float16 or WeightPrecision.BFloat16 or WeightPrecision.Int8))
            throw new ArgumentOutOfRangeException(nameof(options), options, "The precision of weights is not defined.");
    }

    /// <summary>The scales of weights that are given as integers.</summary>
    public static void CheckScales(LinearLayerOptions options, ReadOnlySpan<float> scales)
    {
        if (options.WeightPrecision is not (null or WeightPrecision.Int8))
            throw new ArgumentException($"Weights that are given as integers are kept so, not as {options.WeightPrecision}.", nameof(options));
        if (scales.Length != options.OutputDim)
            throw new ArgumentException($"Has {scales.Length} elements; expected {options.OutputDim}.", nameof(scales));
        foreach (float scale in scales)
        {
            if (!float.IsFinite(scale))
                throw new ArgumentOutOfRangeException(nameof(scales), scale, "Must be finite.");
        }
    }

    /// <summary>A call of a linear layer: lengths and overlaps.</summary>
    public static void CheckLinearCall(
        LinearLayerOptions options, ReadOnlySpan<float> input, ReadOnlySpan<float> output, int rows, ReadOnlySpan<float> residual, in AttentionExecution execution)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        CallValidation.CheckExecution(execution);
        input = RowBuffers.Rows(nameof(input), input, rows, options.InputDim);
        output = RowBuffers.Rows(nameof(output), output, rows, options.OutputDim);
        RowBuffers.CheckApart(nameof(output), output, nameof(input), input);
        if (residual.IsEmpty)
            return;
        residual = RowBuffers.Rows(nameof(residual), residual, rows, options.OutputDim);
        RowBuffers.CheckSameOrApart(nameof(residual), residual, nameof(output), output);
    }
}
