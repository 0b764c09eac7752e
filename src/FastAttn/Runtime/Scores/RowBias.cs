using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>S += bias for the keys of one query; −∞ where the bias is −∞.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="bias">The bias: an element for each key.</param>
internal readonly unsafe struct RowBias<TVector>(float* bias) : IScoreStep<TVector>
    where TVector : struct, ILanes<TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Apply(TVector score, int key) => Bias<TVector>.Add(score, TVector.Load(ref bias[key]));
}
