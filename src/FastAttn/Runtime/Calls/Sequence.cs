namespace FastAttn.Runtime;

/// <summary>The sizes and places of one sequence of a call, which may be padded or one of a ragged batch.</summary>
/// <param name="Batch">Its number where buffers have a batch axis, else 0.</param>
/// <param name="Index">Its number in the call.</param>
/// <param name="QueryStart">The token that its queries begin with.</param>
/// <param name="QueryLength">Its queries that exist.</param>
/// <param name="KeyStart">The token that its keys begin with.</param>
/// <param name="KeyLength">Its keys that exist.</param>
/// <param name="PositionOffset">Query i stands at key i + offset.</param>
internal readonly record struct Sequence(int Batch, int Index, int QueryStart, int QueryLength, int KeyStart, int KeyLength, long PositionOffset)
{
    /// <summary>The offset where the caller gives none: alone, self-attention has 0, and the last query of a rectangular call sees the last key.</summary>
    /// <param name="isSelfAttention">Whether the call is padded self-attention (<see cref="CallValidation.IsSelfAttention"/>).</param>
    /// <param name="queryLength">The sequence's queries.</param>
    /// <param name="keyLength">Its keys.</param>
    public static int DefaultOffset(bool isSelfAttention, int queryLength, int keyLength) => isSelfAttention ? 0 : keyLength - queryLength;
}
