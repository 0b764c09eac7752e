namespace FastAttn;

/// <summary>The sizes of one attention call that are known at run time only.</summary>
/// <param name="Batch">Number of sequences B.</param>
/// <param name="QueryHeads">Number of query heads H; a multiple of <paramref name="KeyValueHeads"/>.</param>
/// <param name="KeyValueHeads">
/// Number of key and value heads H_kv. Query head <c>h</c> reads key-value head <c>h / (H / H_kv)</c>: equal to
/// <paramref name="QueryHeads"/> it is multi-head attention, 1 multi-query, between them grouped-query (arXiv 2305.13245).
/// </param>
/// <param name="QueryLength">Queries L_q in each sequence.</param>
/// <param name="KeyLength">Keys and values L_k in each sequence.</param>
/// <remarks>Any of them may be 0. No keys give an output of zeros and a log-sum-exp of −∞.</remarks>
public readonly record struct AttentionShape(int Batch, int QueryHeads, int KeyValueHeads, int QueryLength, int KeyLength)
{
    /// <summary>The shape of self-attention: as many key-value heads as query heads, as many keys as queries.</summary>
    /// <param name="batch">Number of sequences.</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="length">Tokens in each sequence.</param>
    public AttentionShape(int batch, int heads, int length)
        : this(batch, heads, heads, length, length)
    {
    }
}
