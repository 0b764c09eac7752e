namespace FastAttn.Runtime;

/// <summary>What decides which keys a query of a call sees.</summary>
internal unsafe struct VisibilityInputs
{
    /// <summary>Farther than any two tokens are apart.</summary>
    public const long Unbounded = 1L << 33;

    /// <summary>Whether it is self-attention whose sequences are padded to one length, or need not be.</summary>
    public bool IsSelfAttention;

    /// <summary>Offset of the diagonal for all sequences; <see cref="Sequence.DefaultOffset"/> where null.</summary>
    public int? CausalOffset;

    /// <summary>[B], or null for one offset.</summary>
    public int* CausalOffsets;

    /// <summary>[B], or null where every key exists.</summary>
    public int* KeyLengths;

    /// <summary>[B], or null where every query exists.</summary>
    public int* QueryLengths;

    /// <summary>[B + 1], or null where sequences are not ragged.</summary>
    public int* QueryStarts;

    /// <summary>[B + 1], or null where sequences are not ragged.</summary>
    public int* KeyStarts;

    /// <summary>Keys before a query's own position that it sees.</summary>
    public long Left;

    /// <summary>Keys after a query's own position that it sees: 0 under a causal mask.</summary>
    public long Right;

    /// <summary>Whether there is a mask with an element for each query and key.</summary>
    public bool HasMasks;

    /// <summary>The length of the shortest mask's rows: the keys after them are hidden.</summary>
    public int MaskKeyLength;

    public MaskOperand AdditiveMask;
    public MaskOperand BooleanMask;
    public MaskOperand BitMask;
}
