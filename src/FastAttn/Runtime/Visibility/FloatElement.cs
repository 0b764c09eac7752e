using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>An element of an additive mask, where −∞ hides, times a factor.</summary>
internal readonly unsafe struct FloatElement : IMaskElement
{
    public static AttentionFeatures Feature => AttentionFeatures.AdditiveMask;

    public static int Bits => 32;

    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector> => TVector.Load(ref ((float*)row)[index]) * scale;

    public static bool HidesFirst(void* row) => float.IsNegativeInfinity(*(float*)row);

    public static void Narrow(void* row, ref int start, ref int limit) =>
        KeyRange.Narrow((int*)row, BitConverter.SingleToInt32Bits(float.NegativeInfinity), ref start, ref limit);
}
