namespace FastAttn.Runtime;

/// <summary>The sizes and location of one sequence of a call, which may be padded or ragged.</summary>
/// <param name="Index">Its number in the call.</param>
/// <param name="QueryBatch">Its number if queries and outputs have a batch axis, else 0.</param>
/// <param name="QueryStart">The token with which its queries begin.</param>
/// <param name="QueryLength">The number of its existing queries.</param>
/// <param name="KeyBatch">Its number if keys and values have a batch axis, else 0.</param>
/// <param name="KeyStart">The token with which its keys begin.</param>
/// <param name="KeyLength">The number of its existing keys.</param>
/// <param name="PositionOffset">Query i has the position of key i + offset.</param>
internal readonly record struct Sequence(int Index, int QueryBatch, int QueryStart, int QueryLength, int KeyBatch, int KeyStart, int KeyLength, long PositionOffset)
{
    /// <summary>A sequence of a call, from the options as the caller gives them (<see cref="AttentionCall.SequenceAt"/> once they are pinned).</summary>
    /// <param name="index">Its number in the call.</param>
    /// <param name="shape">The sizes of the call.</param>
    /// <param name="options">The options, checked.</param>
    public static Sequence Of(int index, in AttentionShape shape, in AttentionOptions options)
    {
        bool hasQueryStarts = !options.QueryStarts.IsEmpty, hasKeyStarts = !options.KeyStarts.IsEmpty;
        int queryStart = hasQueryStarts ? options.QueryStarts[index] : 0, keyStart = hasKeyStarts ? options.KeyStarts[index] : 0;
        int queryLength = hasQueryStarts ? options.QueryStarts[index + 1] - queryStart : options.QueryLengths.IsEmpty ? shape.QueryLength : options.QueryLengths[index];
        int keyLength = hasKeyStarts ? options.KeyStarts[index + 1] - keyStart : options.KeyLengths.IsEmpty ? shape.KeyLength : options.KeyLengths[index];
        int? given = options.PositionOffsets.IsEmpty ? options.PositionOffset : options.PositionOffsets[index];
        long offset = given ?? DefaultOffset(CallValidation.IsSelfAttention(shape, options), queryLength, options.KeyPart?.KeyLength ?? keyLength);
        return new(index, hasQueryStarts ? 0 : index, queryStart, queryLength, hasKeyStarts ? 0 : index, keyStart, keyLength, offset - (options.KeyPart?.Start ?? 0));
    }

    /// <summary>The default offset: alone, self-attention has 0, and the last query of a rectangular call sees the last key.</summary>
    /// <param name="isSelfAttention">Whether the call is padded self-attention (<see cref="CallValidation.IsSelfAttention"/>).</param>
    /// <param name="queryLength">The sequence's queries.</param>
    /// <param name="keyLength">Its keys.</param>
    public static int DefaultOffset(bool isSelfAttention, int queryLength, int keyLength) => isSelfAttention ? 0 : keyLength - queryLength;
}
