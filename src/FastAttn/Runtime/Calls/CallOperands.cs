namespace FastAttn.Runtime;

/// <summary>What a call reads and writes: pinned buffers, whose lengths were checked against the shape and strides.</summary>
internal unsafe struct CallOperands
{
    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;

    /// <summary>[B, H, Lq] or [H, T], or null where it is not wanted.</summary>
    public float* LogSumExp;

    public int HeadDim;
    public int ValueDim;
    public AttentionStrides QueryStrides;
    public AttentionStrides KeyStrides;
    public AttentionStrides ValueStrides;
    public AttentionStrides OutputStrides;

    /// <summary>Queries in all sequences together, where they are ragged; else those of each.</summary>
    public int QueryTokens;
}
