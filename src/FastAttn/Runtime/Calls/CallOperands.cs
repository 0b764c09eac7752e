namespace FastAttn.Runtime;

/// <summary>What a call reads and writes: pinned buffers, whose lengths were checked against the shape and strides.</summary>
internal unsafe struct CallOperands
{
    public float* Query;
    public byte* Key;
    public byte* Value;
    public float* Output;

    /// <summary>[B, H, Lq] or [H, T], or null where it is not wanted.</summary>
    public float* LogSumExp;

    /// <summary>What keys are.</summary>
    public AttentionElement KeyElement;

    /// <summary>What values are.</summary>
    public AttentionElement ValueElement;

    public int HeadDim;
    public int ValueDim;
    public AttentionStrides QueryStrides;
    public AttentionStrides KeyStrides;
    public AttentionStrides ValueStrides;
    public AttentionStrides OutputStrides;

    /// <summary>Queries in all sequences together, where they are ragged; else those of each.</summary>
    public int QueryTokens;
}
