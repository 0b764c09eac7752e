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

    public static void CheckSizes(in MultiHeadDimensions sizes, int batch, int length, string lengthName, int maxDegreeOfParallelism)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        if (length < 0)
            throw new ArgumentOutOfRangeException(lengthName, length, "Must not be negative.");
        ArgumentOutOfRangeException.ThrowIfNegative(maxDegreeOfParallelism);
        int widest = Math.Max(Math.Max(sizes.Queries, sizes.Attended), Math.Max(sizes.Keys, sizes.Values));
        if ((Int128)batch * length * widest > Array.MaxLength)
            throw new ArgumentOutOfRangeException(lengthName, length, $"Batch {batch} × length {length} × {widest} floats of a token's heads are more than a span can hold.");
    }

    public static void CheckRows(string name, int actual, int batch, int length, int width)
    {
        Int128 expected = (Int128)batch * length * width;
        if (actual != expected)
            throw new ArgumentException($"Has {actual} elements; batch {batch} × length {length} × dimension {width} need {expected}.", name);
    }

    public static void CheckLengths(ReadOnlySpan<int> lengths, int batch, int length)
    {
        if (lengths.IsEmpty)
            return;
        if (lengths.Length != batch)
            throw new ArgumentException($"Has {lengths.Length} elements; batch {batch} needs as many.", nameof(lengths));
        foreach (int own in lengths)
        {
            if (own < 0 || own > length)
                throw new ArgumentOutOfRangeException(nameof(lengths), own, $"Lengths must be 0 to the length {length}.");
        }
    }

    /// <summary>Positions of a rotary embedding: none, or one for each axis and token.</summary>
    public static void CheckPositions(RotaryEmbedding? rotary, string name, ReadOnlySpan<int> positions, int batch, int length)
    {
        if (positions.IsEmpty)
            return;
        if (rotary is null)
            throw new ArgumentException("The layer has no rotary embedding, which alone has positions.", name);
        Int128 expected = (Int128)rotary.Axes * batch * length;
        if (positions.Length != expected)
            throw new ArgumentException($"Has {positions.Length} elements; axes {rotary.Axes} × batch {batch} × length {length} need {expected}.", name);
        foreach (int position in positions)
            ArgumentOutOfRangeException.ThrowIfNegative(position, name);
    }

    /// <summary>All that the attention itself would refuse later, and what a layer does not take.</summary>
    /// <param name="modifiers">What modifies the attention.</param>
    /// <param name="shape">The attention's sizes.</param>
    /// <param name="arePositions">Whether causal offsets are positions of a rotary embedding.</param>
    /// <param name="output">It may be an input, but nothing of what modifies the attention.</param>
    public static void CheckModifiers(in AttentionModifiers modifiers, in AttentionShape shape, bool arePositions, ReadOnlySpan<float> output)
    {
        CallValidation.CheckApart(nameof(output), output, default, default, default, modifiers);
        if (CallValidation.IsGiven(modifiers.QueryStarts) || CallValidation.IsGiven(modifiers.KeyStarts))
            throw new ArgumentException("A layer takes sequences of one length; QueryStarts and KeyStarts must not be given.", nameof(modifiers));
        CallValidation.CheckModifiers(shape, default, modifiers);
        foreach (int offset in modifiers.CausalOffsets)
        {
            if (arePositions && (offset < 0 || offset + (long)shape.QueryLength - 1 > int.MaxValue))
                throw new ArgumentOutOfRangeException(nameof(modifiers), offset, $"CausalOffsets are positions of the rotary embedding where none are given; with {shape.QueryLength} queries they must be 0 to {int.MaxValue - (shape.QueryLength - 1L)}.");
        }
    }

    /// <summary>The weights of the softmax, where they are wanted: their length, and that nothing else that a call takes lies there.</summary>
    public static void CheckWeights(
        string name, ReadOnlySpan<float> weights, int batch, int heads, int queryLength, int keyLength,
        ReadOnlySpan<float> query, ReadOnlySpan<float> key, ReadOnlySpan<float> value, ReadOnlySpan<float> output, in AttentionModifiers modifiers)
    {
        if (weights.IsEmpty)
            return;
        Int128 expected = (Int128)batch * heads * queryLength * keyLength;
        if (weights.Length != expected)
            throw new ArgumentException($"Has {weights.Length} elements; batch {batch} × heads {heads} × query length {queryLength} × key length {keyLength} need {expected}.", name);
        CallValidation.CheckApart(name, weights, query, key, value, modifiers);
        CallValidation.CheckApart(name, weights, output, default, default, modifiers);
    }

    public static void CheckCache(in MultiHeadDimensions sizes, KeyValueCache cache, string name)
    {
        ArgumentNullException.ThrowIfNull(cache, name);
        if (cache.KeyValueHeads != sizes.KeyValueHeads || cache.HeadDim != sizes.Head || cache.ValueDim != sizes.Value)
        {
            throw new ArgumentException(
                $"Is of {cache.KeyValueHeads} heads of dimensions {cache.HeadDim} and {cache.ValueDim}; the layer has {sizes.KeyValueHeads} of {sizes.Head} and {sizes.Value}.", name);
        }
    }

    /// <summary>Returns the length of the longest sequence after an append.</summary>
    /// <exception cref="InvalidOperationException">The cache has no room for that.</exception>
    public static int CheckRoom(KeyValueCache cache, int length, ReadOnlySpan<int> lengths)
    {
        long needed = cache.LengthAfter(length, lengths);
        cache.CheckRoom(needed);
        return (int)needed;
    }
}
