using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>Detects rows of halves that become floats with fewer instructions: those without ±∞ and NaN (<see cref="StoredFiniteHalf"/>), and those with normal numbers and zeros only (<see cref="NormalHalfRow"/>).</summary>
internal static unsafe class NearHalves
{
    /// <summary>Classifies the elements of some rows.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <returns>Whether none is ±∞ or NaN; and whether none is a subnormal number either.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (bool AreFinite, bool AreNormal) Kind(BlockRows rows, int count, int columns)
    {
        // Doubling the bits drops the sign. Minus 1, zeros are the largest of all and subnormal numbers the smallest.
        const ushort Infinity = 2 * 0x7C00, SmallestNormal = 2 * 0x0400 - 1;
        Vector512<ushort> wideLargest = Vector512<ushort>.Zero, wideSmallest = Vector512<ushort>.AllBitsSet;
        Vector<ushort> largest = Vector<ushort>.Zero, smallest = Vector<ushort>.AllBitsSet;
        int largestOfRest = 0, smallestOfRest = ushort.MaxValue;
        for (int j = 0; j < count; j++)
        {
            ushort* row = (ushort*)rows.Row(j);
            int c = 0;
            for (; Vector512.IsHardwareAccelerated && c + Vector512<ushort>.Count <= columns; c += Vector512<ushort>.Count)
            {
                Vector512<ushort> x = Vector512.Load(row + c), twice = x + x;
                wideLargest = Vector512.Max(wideLargest, twice);
                wideSmallest = Vector512.Min(wideSmallest, twice - Vector512<ushort>.One);
            }

            for (; c + Vector<ushort>.Count <= columns; c += Vector<ushort>.Count)
            {
                Vector<ushort> x = Vector.Load(row + c), twice = x + x;
                largest = Vector.Max(largest, twice);
                smallest = Vector.Min(smallest, twice - Vector<ushort>.One);
            }

            for (; c < columns; c++)
            {
                var twice = (ushort)(2 * row[c]);
                largestOfRest = Math.Max(largestOfRest, twice);
                smallestOfRest = Math.Min(smallestOfRest, (ushort)(twice - 1));
            }
        }

        bool areFinite = Vector512.LessThanAll(wideLargest, Vector512.Create(Infinity)) && Vector.LessThanAll(largest, new(Infinity)) && largestOfRest < Infinity;
        bool areNormal = areFinite
            && Vector512.GreaterThanOrEqualAll(wideSmallest, Vector512.Create(SmallestNormal)) && Vector.GreaterThanOrEqualAll(smallest, new(SmallestNormal)) && smallestOfRest >= SmallestNormal;
        return (areFinite, areNormal);
    }

    /// <summary>Whether numbers times 2¹¹² (<see cref="HalfBits.Factor"/>) are exact, because none is too large. NaN stays NaN.</summary>
    /// <param name="x">The numbers.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool MayBeMultiplied<TVector>(float* x, int count)
        where TVector : struct, ILanes<TVector>
    {
        // 2¹⁵: times 2¹¹² it is the largest power of two that a float holds.
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
