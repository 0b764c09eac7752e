using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>An element of an additive mask, times log₂(e): −∞ where it is, else at least the most negative float.</summary>
/// <remarks>That float is in use as a mask that does not hide: a row of nothing else has equal weights. So its product stays finite.</remarks>
internal readonly unsafe struct AdditiveElement : IMaskElement
{
    public static int Bits => FloatElement.Bits;

    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector>
    {
        TVector element = TVector.Load(ref ((float*)row)[index]), product = TVector.Max(TVector.Create(float.MinValue), element * scale);
        return TVector.SelectGreaterOrEqual(TVector.Create(float.NegativeInfinity), element, element, product);
    }
}
