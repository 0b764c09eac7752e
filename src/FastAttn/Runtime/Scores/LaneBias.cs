using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>S += bias with queries in lanes; −∞ where the bias is −∞.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="bias">The bias: a row for each key.</param>
/// <param name="stride">Floats from row to row.</param>
internal unsafe struct LaneBias<TVector>(float* bias, int stride) : ILaneStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    private float* _lanes;

    public void SetLanes(int lane) => _lanes = bias + lane;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TVector Apply(TVector score, int key) => Bias<TVector>.Add(score, Of(key));

    /// <summary>The bias of a key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TVector Of(int key) => TVector.Load(ref _lanes[(long)key * stride]);
}
