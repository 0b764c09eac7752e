using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// One validated call: where everything stands. Pointers are to pinned buffers whose lengths were checked against the
/// shape and strides (<see cref="CallValidation"/>), so that every row of the shape lies inside.
/// </summary>
internal unsafe struct AttentionCall
{
    /// <summary>Farther than any two tokens are apart.</summary>
    public const long Unbounded = 1L << 33;

    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;

    /// <summary>[B, H, Lq] or [H, T], or null where it is not wanted.</summary>
    public float* LogSumExp;

    public AttentionShape Shape;
    public int HeadDim;
    public int ValueDim;
    public AttentionStrides QueryStrides;
    public AttentionStrides KeyStrides;
    public AttentionStrides ValueStrides;
    public AttentionStrides OutputStrides;
    public double Scale;

    /// <summary>Offset of the diagonal for all sequences; <see cref="Sequence.DefaultOffset"/> where null.</summary>
    public int? CausalOffset;

    /// <summary>Whether it is self-attention whose sequences are padded to one length, or need not be.</summary>
    public bool IsSelfAttention;

    /// <summary>What this call uses, all of it declared by the kernel; the members below are valid where it says so.</summary>
    public AttentionFeatures Uses;

    /// <summary>Queries in all sequences together, where they are ragged.</summary>
    public int QueryTokens;

    /// <summary>Keys before a query's own position that it sees.</summary>
    public long Left;

    /// <summary>Keys after a query's own position that it sees: 0 under a causal mask.</summary>
    public long Right;

    /// <summary>The length of the shortest mask's rows: the keys after them are hidden.</summary>
    public int MaskKeyLength;

    public float Softcap;
    public MaskOperand AdditiveMask;
    public MaskOperand BooleanMask;
    public MaskOperand BitMask;
    public int* KeyLengths;

    /// <summary>[B], or null where every query exists.</summary>
    public int* QueryLengths;

    public int* CausalOffsets;
    public int* QueryStarts;
    public int* KeyStarts;
    public float* AlibiSlopes;
    public float* Sinks;

    /// <summary>Keys in a block; the kernel's own number unless a test forces another.</summary>
    public int KeyBlock;

    public TilePartition Partition;

    /// <summary>
    /// Whether queries, keys, values and outputs exceed 2 MiB, about what a core's caches hold. Below that, prefetching costs up to 9% of a
    /// short call.
    /// </summary>
    public readonly bool IsLarge
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            const double CacheFloats = 2 * 1024 * 1024 / sizeof(float);
            double rows = (double)Shape.QueryHeads * Shape.QueryLength + (double)Shape.KeyValueHeads * Shape.KeyLength;
            return Shape.Batch * rows * (HeadDim + ValueDim) > CacheFloats;
        }
    }

    public readonly int GroupSize => Shape.QueryHeads / Shape.KeyValueHeads;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly Sequence SequenceAt(int index)
    {
        Sequence sequence = new(index, index, 0, Shape.QueryLength, 0, Shape.KeyLength, 0);
        if ((Uses & AttentionFeatures.Ragged) != 0)
            sequence = new(0, index, QueryStarts[index], QueryStarts[index + 1] - QueryStarts[index], KeyStarts[index], KeyStarts[index + 1] - KeyStarts[index], 0);
        if (KeyLengths != null)
            sequence = sequence with { KeyLength = KeyLengths[index] };
        if (QueryLengths != null)
            sequence = sequence with { QueryLength = QueryLengths[index] };
        return sequence with
        {
            CausalOffset = CausalOffsets != null ? CausalOffsets[index] : CausalOffset ?? Sequence.DefaultOffset(IsSelfAttention, sequence.QueryLength, sequence.KeyLength),
        };
    }

    /// <summary>
    /// The queries that a sequence would have alone, by which the driver is chosen, so that its bits do not depend on how far it is padded:
    /// those that are said to exist, else in self-attention as many as keys exist.
    /// </summary>
    public readonly int OwnQueries(in Sequence sequence) =>
        IsSelfAttention && KeyLengths != null ? Math.Min(sequence.QueryLength, sequence.KeyLength) : sequence.QueryLength;
}
