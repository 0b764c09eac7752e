using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>ALiBi for the keys of one query.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="slope">−slope.</param>
/// <param name="origin">The key from which distances are measured, relative to the first of these keys.</param>
/// <param name="nearest">The distance beyond which distances count.</param>
internal readonly struct RowAlibi<TVector>(AlibiSlope slope, float origin, float nearest) : IScoreStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    private readonly AlibiBias<TVector> _alibi = new(TVector.Create(slope.High), TVector.Create(slope.Low), TVector.Create(nearest));
    private readonly TVector _numbers = LaneNumbers<TVector>.Load();
    private readonly float _origin = origin;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector score, int key) => _alibi.AddTo(score, TVector.Create(_origin - key) - _numbers);
}
