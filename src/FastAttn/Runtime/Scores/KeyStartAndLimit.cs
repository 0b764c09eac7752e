using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>S = −∞ for keys before a lane's start, and at or past its limit.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="start">For each lane the first key of the block that it sees.</param>
/// <param name="limit">For each lane the first key of the block after those that it sees.</param>
internal unsafe struct KeyStartAndLimit<TVector>(float* start, float* limit) : ILaneStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    private TVector _start, _limit;

    public void SetLanes(int lane)
    {
        _start = TVector.Load(ref start[lane]);
        _limit = TVector.Load(ref limit[lane]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TVector Apply(TVector score, int key)
    {
        TVector hidden = TVector.Create(float.NegativeInfinity);
        score = TVector.SelectGreaterOrEqual(_limit, TVector.Create(key + 1), score, hidden);
        return TVector.SelectGreaterOrEqual(TVector.Create(key), _start, score, hidden);
    }
}
