namespace FastAttn.Runtime;

/// <summary>The sizes and places of one sequence of a call, which may be padded or one of a ragged batch.</summary>
/// <param name="Batch">Its number where buffers have a batch axis, else 0.</param>
/// <param name="Index">Its number in the call.</param>
/// <param name="QueryStart">The token that its queries begin with.</param>
/// <param name="QueryLength">Its queries.</param>
/// <param name="KeyStart">The token that its keys begin with.</param>
/// <param name="KeyLength">Its keys that exist.</param>
/// <param name="CausalOffset">Query i stands at key i + offset.</param>
internal readonly record struct Sequence(int Batch, int Index, int QueryStart, int QueryLength, int KeyStart, int KeyLength, int CausalOffset);
