namespace FastAttn;

/// <summary>The order in which a buffer holds batch (B), heads (H), length (L) and dimension (D).</summary>
public enum AttentionLayout
{
    /// <summary>[B, H, L, D]: the rows of one head follow each other.</summary>
    BatchHeadLengthDim = 0,

    /// <summary>[B, L, H, D]: the heads of one token follow each other, as a linear projection writes them.</summary>
    BatchLengthHeadDim = 1,
}
