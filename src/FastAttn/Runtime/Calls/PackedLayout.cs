using System;

namespace FastAttn.Runtime;

/// <summary>Where queries, keys and values stand in the output of one projection: a token is [H·d_k | H_kv·d_k | H_kv·d_v].</summary>
/// <param name="KeyStart">Floats before the first key.</param>
/// <param name="ValueStart">Floats before the first value.</param>
/// <param name="TokenFloats">Floats in a token.</param>
/// <param name="HeadDim">d_k.</param>
/// <param name="ValueDim">d_v.</param>
/// <param name="Length">Tokens in a sequence.</param>
internal readonly record struct PackedLayout(int KeyStart, int ValueStart, long TokenFloats, int HeadDim, int ValueDim, int Length)
{
    public static PackedLayout Check(
        ReadOnlySpan<float> packed, ReadOnlySpan<float> output, in AttentionShape shape, in AttentionModifiers modifiers, in AttentionOptions options, int headDim, int valueDim)
    {
        CallValidation.CheckShape(shape);
        if (shape.QueryLength != shape.KeyLength)
            throw new ArgumentException($"Packed queries and keys are of the same tokens; the query length is {shape.QueryLength}, the key length {shape.KeyLength}.", nameof(shape));
        if (options.QueryStrides is not null || options.KeyStrides is not null || options.ValueStrides is not null || options.OutputStrides is not null || options.Layout != default)
            throw new ArgumentException("Layout and strides of packed tokens are fixed.", nameof(options));

        long key = (long)shape.QueryHeads * headDim, value = key + (long)shape.KeyValueHeads * headDim, token = value + (long)shape.KeyValueHeads * valueDim;
        bool isRagged = (CallValidation.FeaturesOf(options, modifiers) & AttentionFeatures.Ragged) != 0;
        Int128 tokens = isRagged ? (modifiers.QueryStarts.IsEmpty ? 0 : modifiers.QueryStarts[^1]) : (Int128)shape.Batch * shape.QueryLength;
        if (packed.Length != tokens * token)
            throw new ArgumentException($"Has {packed.Length} elements; {tokens} tokens × {token} need {tokens * token}.", nameof(packed));
        if (output.Length != tokens * shape.QueryHeads * valueDim)
            throw new ArgumentException($"Has {output.Length} elements; {tokens} tokens × query heads {shape.QueryHeads} × value dimension {valueDim} need {tokens * shape.QueryHeads * valueDim}.", nameof(output));
        if (isRagged && !modifiers.QueryStarts.SequenceEqual(modifiers.KeyStarts))
            throw new ArgumentException("Packed queries and keys are of the same tokens; QueryStarts and KeyStarts differ.", nameof(modifiers));
        if (packed.Overlaps(output))
            throw new ArgumentException("Overlaps packed.", nameof(output));

        // Without tokens there is nothing after the queries to point at.
        return tokens == 0 ? new(0, 0, token, headDim, valueDim, shape.QueryLength) : new((int)key, (int)value, token, headDim, valueDim, shape.QueryLength);
    }

    public AttentionOptions Apply(in AttentionOptions options) => options with
    {
        Layout = AttentionLayout.BatchLengthHeadDim,
        QueryStrides = new(Length * TokenFloats, HeadDim, TokenFloats),
        KeyStrides = new(Length * TokenFloats, HeadDim, TokenFloats),
        ValueStrides = new(Length * TokenFloats, ValueDim, TokenFloats),
    };
}
