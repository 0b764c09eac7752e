namespace FastAttn.Runtime;

/// <summary>A score step with queries in lanes: it goes from vector to vector of queries.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface ILaneStep<TVector> : IScoreStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>Goes to the queries from lane <paramref name="lane"/> on.</summary>
    void SetLanes(int lane);
}
