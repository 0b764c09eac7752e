namespace FastAttn;

/// <summary>
/// The sizes of one attention call that are known only at run time, and the order of the axes of its buffers. The head dimension is the
/// kernel's, or a separate argument. What a call computes is in <see cref="AttentionOptions"/>, how it runs in <see cref="AttentionExecution"/>.
/// </summary>
/// <remarks>Any size may be 0. No keys give an output of zeros and a log-sum-exp of −∞.</remarks>
public readonly record struct AttentionShape
{
    /// <summary>The shape of attention in general.</summary>
    /// <param name="batch">Number of sequences B.</param>
    /// <param name="queryHeads">Number of query heads H; a multiple of <paramref name="keyValueHeads"/>.</param>
    /// <param name="keyValueHeads">Number of key and value heads H_kv.</param>
    /// <param name="queryLength">Queries L_q in each sequence.</param>
    /// <param name="keyLength">Keys and values L_k in each sequence.</param>
    public AttentionShape(int batch, int queryHeads, int keyValueHeads, int queryLength, int keyLength)
    {
        Batch = batch;
        QueryHeads = queryHeads;
        KeyValueHeads = keyValueHeads;
        QueryLength = queryLength;
        KeyLength = keyLength;
    }

    /// <summary>The shape of self-attention: as many key-value heads as query heads, as many keys as queries.</summary>
    /// <param name="batch">Number of sequences.</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="length">Tokens in each sequence.</param>
    public AttentionShape(int batch, int heads, int length)
        : this(batch, heads, heads, length, length)
    {
    }

    /// <summary>Number of sequences B.</summary>
    public int Batch { get; init; }

    /// <summary>Number of query heads H; a multiple of <see cref="KeyValueHeads"/>.</summary>
    public int QueryHeads { get; init; }

    /// <summary>
    /// Number of key and value heads H_kv. Query head <c>h</c> reads key-value head <c>h / (H / H_kv)</c>: with as many as
    /// <see cref="QueryHeads"/> it is multi-head attention, with 1 multi-query, between them grouped-query (arXiv 2305.13245).
    /// </summary>
    public int KeyValueHeads { get; init; }

    /// <summary>Queries L_q in each sequence.</summary>
    public int QueryLength { get; init; }

    /// <summary>Keys and values L_k in each sequence.</summary>
    public int KeyLength { get; init; }

    /// <summary>The order of the axes of query, key, value and output unless these have strides; [B, H, L, D] by default.</summary>
    public AttentionLayout Layout { get; init; }
}
