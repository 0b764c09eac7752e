namespace FastAttn.Runtime;

/// <summary>
/// One validated call: where everything stands. Pointers are to pinned buffers whose lengths were checked against the
/// shape and strides (<see cref="CallValidation"/>), so that every row of the shape lies inside.
/// </summary>
internal unsafe struct AttentionCall
{
    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;

    /// <summary>[B, H, Lq], or null where it is not wanted.</summary>
    public float* LogSumExp;

    public AttentionShape Shape;
    public int HeadDim;
    public int ValueDim;
    public AttentionStrides QueryStrides;
    public AttentionStrides KeyStrides;
    public AttentionStrides ValueStrides;
    public AttentionStrides OutputStrides;
    public float Scale;
    public int CausalOffset;

    /// <summary>Keys in a block; the kernel's own number unless a test forces another.</summary>
    public int KeyBlock;

    public TilePartition Partition;

    public readonly int GroupSize => Shape.QueryHeads / Shape.KeyValueHeads;
}
