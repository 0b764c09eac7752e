using System;

namespace FastAttn.Runtime;

/// <summary>Where queries, keys and values are in the output of one projection: a token is [H·d_k | H_kv·d_k | H_kv·d_v].</summary>
internal static class QkvLayout
{
    /// <summary>Checks the buffer and returns its three parts.</summary>
    /// <param name="qkv">Tokens.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="options">For the lengths of ragged sequences.</param>
    /// <param name="headDim">d_k.</param>
    /// <param name="valueDim">d_v.</param>
    /// <param name="key">The keys.</param>
    /// <param name="value">The values.</param>
    /// <returns>The queries.</returns>
    /// <exception cref="ArgumentException">Something does not fit.</exception>
    public static AttentionInput Split(ReadOnlySpan<float> qkv, in AttentionShape shape, in AttentionOptions options, int headDim, int valueDim, out AttentionInput key, out AttentionInput value)
    {
        CallValidation.CheckShape(shape);
        if (options.KeyPages.IsGiven)
            throw new ArgumentException("Keys and values beside queries are in no pages; KeyPages must not be given.", nameof(options));
        if (shape.QueryLength != shape.KeyLength)
            throw new ArgumentException($"Queries and keys are of the same tokens; the query length is {shape.QueryLength}, the key length {shape.KeyLength}.", nameof(shape));

        long keys = (long)shape.QueryHeads * headDim, values = keys + (long)shape.KeyValueHeads * headDim, token = values + (long)shape.KeyValueHeads * valueDim;
        bool isRagged = !options.QueryStarts.IsEmpty || !options.KeyStarts.IsEmpty;
        if (isRagged)
            CallValidation.CheckStarts(shape, options);
        Int128 tokens = isRagged ? options.QueryStarts[^1] : (Int128)shape.Batch * shape.QueryLength;
        if (qkv.Length < tokens * token)
            throw new ArgumentException($"Has {qkv.Length} elements; {tokens} tokens × {token} need {tokens * token}.", nameof(qkv));
        if (isRagged && !options.QueryStarts.SequenceEqual(options.KeyStarts))
            throw new ArgumentException("Queries and keys are of the same tokens; QueryStarts and KeyStarts differ.", nameof(options));

        // Without tokens there is nothing after the queries to point at.
        qkv = qkv[..(int)(tokens * token)];
        AttentionStrides strides = tokens == 0 ? default : new(shape.QueryLength * token, headDim, token);
        key = new(tokens == 0 ? default : qkv[(int)keys..], strides);
        value = new(tokens == 0 ? default : qkv[(int)values..], strides with { Head = valueDim });
        return new(qkv, strides);
    }
}
