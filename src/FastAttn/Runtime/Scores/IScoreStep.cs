namespace FastAttn.Runtime;

/// <summary>
/// A step that changes a vector of scores between the product and the softmax. Its lanes are queries of one key, or keys of one query: the
/// arithmetic is the same, and only where a step reads its numbers differs.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface IScoreStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>The new scores.</summary>
    /// <param name="score">The scores.</param>
    /// <param name="key">The key of the block to which they belong; the first if lanes are keys.</param>
    TVector Apply(TVector score, int key);
}
