using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>How a mask or a bias changes a score: it is added, and an element of −∞ hides the key whatever the score is.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static class Bias<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>score + bias; −∞ where the bias is −∞, so that a hidden NaN is hidden.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Add(TVector score, TVector bias) => Hide(bias, score + bias);

    /// <summary>The sum; −∞ where the bias is −∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Hide(TVector bias, TVector sum) =>
        TVector.SelectGreaterOrEqual(TVector.Create(float.NegativeInfinity), bias, bias, sum);
}
