namespace FastAttn;

/// <summary>The sizes of a mask [batch, heads, queries, keys]. An axis of size 1 is repeated as often as the call needs, as numpy and PyTorch repeat it.</summary>
public readonly record struct AttentionMaskSizes
{
    /// <summary>Sets the sizes.</summary>
    /// <param name="batch">The call's sequences, or 1.</param>
    /// <param name="heads">The call's query heads, or 1.</param>
    /// <param name="queryLength">The call's query length, or 1.</param>
    /// <param name="keyLength">The call's key length, or 1. Rows of 2 or more elements may be shorter than the key length, as in ONNX Attention-24, and then hide the keys after them; rows of 0 hide all.</param>
    public AttentionMaskSizes(int batch, int heads, int queryLength, int keyLength)
    {
        Batch = batch;
        Heads = heads;
        QueryLength = queryLength;
        KeyLength = keyLength;
    }

    /// <summary>Sequences, or 1.</summary>
    public int Batch { get; init; }

    /// <summary>Query heads, or 1.</summary>
    public int Heads { get; init; }

    /// <summary>Queries, or 1.</summary>
    public int QueryLength { get; init; }

    /// <summary>Keys, or 1, or fewer than the call has.</summary>
    public int KeyLength { get; init; }
}
