namespace FastAttn.Runtime;

/// <summary>Packs the masks of a block with queries in lanes, one over the other.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="block">The block.</param>
/// <param name="first">Its first key.</param>
/// <param name="count">Its keys.</param>
internal unsafe struct LaneMaskPacking<TVector>(in ScoreBlock block, int first, int count) : IMaskVisitor
    where TVector : struct, ILanes<TVector>
{
    private readonly ScoreBlock _block = block;

    /// <summary>Whether a mask has been packed.</summary>
    public bool HasMask { get; private set; }

    public void Visit<TElement>(in MaskRows mask)
        where TElement : struct, IMaskElement
    {
        MaskBias<TVector>.Pack<TElement>(_block, mask.Rows, mask.IsOneRow, mask.RepeatsKeys, first, count, HasMask);
        HasMask = true;
    }
}
