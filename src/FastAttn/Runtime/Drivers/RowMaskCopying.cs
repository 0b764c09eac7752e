namespace FastAttn.Runtime;

/// <summary>Copies the masks of some keys of one query, one over the other.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="bias">Where they are copied to.</param>
/// <param name="row">The query.</param>
/// <param name="first">The first key.</param>
/// <param name="count">Keys.</param>
internal unsafe struct RowMaskCopying<TVector>(float* bias, int row, int first, int count) : IMaskVisitor
    where TVector : struct, ILanes<TVector>
{
    private bool _hasMask;

    public void Visit<TElement>(in MaskRows mask)
        where TElement : struct, IMaskElement
    {
        MaskBias<TVector>.Copy<TElement>(bias, mask.Rows[row], mask.RepeatsKeys, first, count, _hasMask);
        _hasMask = true;
    }
}
