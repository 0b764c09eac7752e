using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>S = −∞ for keys at or past a lane's limit.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="limit">For each lane the first key of the block after those that it sees.</param>
internal unsafe struct KeyLimit<TVector>(float* limit) : ILaneStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    private TVector _limit;

    public void SetLanes(int lane) => _limit = TVector.Load(ref limit[lane]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TVector Apply(TVector score, int key) =>
        TVector.SelectGreaterOrEqual(_limit, TVector.Create(key + 1), score, TVector.Create(float.NegativeInfinity));
}
