namespace FastAttn;

/// <summary>The masks of a call, one of each element.</summary>
internal readonly ref struct MaskTensors
{
    /// <summary>Kinds of elements.</summary>
    public const int Count = 3;

    private readonly MaskTensor _floats;
    private readonly MaskTensor _bytes;
    private readonly MaskTensor _bits;

    /// <summary>Takes the masks in the order of <see cref="MaskElement"/>.</summary>
    public MaskTensors(MaskTensor floats, MaskTensor bytes, MaskTensor bits)
    {
        _floats = floats;
        _bytes = bytes;
        _bits = bits;
    }

    /// <summary>The mask of these elements.</summary>
    public MaskTensor this[MaskElement element] => element switch
    {
        MaskElement.Float => _floats,
        MaskElement.Byte => _bytes,
        _ => _bits,
    };
}
