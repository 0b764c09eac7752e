using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>What decides which keys a query of a call sees.</summary>
internal unsafe struct VisibilityInputs
{
    /// <summary>Farther than any two tokens are apart.</summary>
    public const long Unbounded = 1L << 33;

    /// <summary>Whether it is self-attention whose sequences are padded to one length, or need not be.</summary>
    public bool IsSelfAttention;

    /// <summary>The position offset of all sequences; <see cref="Sequence.DefaultOffset"/> where null.</summary>
    public int? PositionOffset;

    /// <summary>The position of the first key: 0, but in calls over a part of the keys.</summary>
    public int FirstKey;

    /// <summary>The keys of a sequence, where the call has only a part of them.</summary>
    public int? AllKeys;

    /// <summary>[B], or null for one offset.</summary>
    public int* PositionOffsets;

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

    /// <summary>The mask of these elements.</summary>
    [UnscopedRef]
    public ref MaskOperand MaskOf(MaskElement element) => ref element == MaskElement.Float ? ref AdditiveMask : ref element == MaskElement.Byte ? ref BooleanMask : ref BitMask;
}
