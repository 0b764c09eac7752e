using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>Tells rows of halves that become floats with fewer instructions: without ±∞ and NaN (<see cref="StoredFiniteHalf"/>), and of normal numbers alone (<see cref="NormalHalfRow"/>).</summary>
internal static unsafe class NearHalves
{
    /// <summary>What the elements of some rows are, all of them.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <returns>Whether none is ±∞ or NaN; whether none is a subnormal number or zero either.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (bool AreFinite, bool AreNormal) Kind(BlockRows rows, int count, int columns)
    {
        // Twice the bits have lost the sign. Less twice the smallest normal number, those below it are the largest of all.
        const ushort Infinity = 2 * 0x7C00, SmallestNormal = 2 * 0x0400;
        Vector512<ushort> wide = Vector512<ushort>.Zero, wideAboveNormal = wide, wideSmallest = Vector512.Create(SmallestNormal);
        Vector<ushort> largest = Vector<ushort>.Zero, aboveNormal = largest, smallest = new(SmallestNormal);
        int largestOfRest = 0, aboveNormalOfRest = 0;
        for (int j = 0; j < count; j++)
        {
            ushort* row = (ushort*)rows.Row(j);
            int c = 0;
            for (; Vector512.IsHardwareAccelerated && c + Vector512<ushort>.Count <= columns; c += Vector512<ushort>.Count)
            {
                Vector512<ushort> x = Vector512.Load(row + c), twice = x + x;
                wide = Vector512.Max(wide, twice);
                wideAboveNormal = Vector512.Max(wideAboveNormal, twice - wideSmallest);
            }

            for (; c + Vector<ushort>.Count <= columns; c += Vector<ushort>.Count)
            {
                Vector<ushort> x = Vector.Load(row + c), twice = x + x;
                largest = Vector.Max(largest, twice);
                aboveNormal = Vector.Max(aboveNormal, twice - smallest);
            }

            for (; c < columns; c++)
            {
                var twice = (ushort)(2 * row[c]);
                largestOfRest = Math.Max(largestOfRest, twice);
                aboveNormalOfRest = Math.Max(aboveNormalOfRest, (ushort)(twice - SmallestNormal));
            }
        }

        bool areFinite = Vector512.LessThanAll(wide, Vector512.Create(Infinity)) && Vector.LessThanAll(largest, new(Infinity)) && largestOfRest < Infinity;
        const ushort Limit = Infinity - SmallestNormal;
        bool areNormal = Vector512.LessThanAll(wideAboveNormal, Vector512.Create(Limit)) && Vector.LessThanAll(aboveNormal, new(Limit)) && aboveNormalOfRest < Limit;
        return (areFinite, areNormal);
    }

    /// <summary>Whether numbers times 2¹¹² (<see cref="HalfBits.Factor"/>) are exact: none is too large. NaN stays what it is.</summary>
    /// <param name="x">The numbers.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool MayBeMultiplied<TVector>(float* x, int count)
        where TVector : struct, ILanes<TVector>
    {
        const float Limit = 32768;
        TVector largest = TVector.Create(0), zero = largest;
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
        {
            TVector numbers = TVector.Load(ref x[i]);
            largest = TVector.Max(TVector.Max(numbers, zero - numbers), largest);
        }

        bool areSmall = Vector128.LessThanAll(TVector.FoldMaxToFour(largest), Vector128.Create(Limit));
        for (; i < count; i++)
            areSmall &= Math.Abs(x[i]) < Limit;
        return areSmall;
    }
}
