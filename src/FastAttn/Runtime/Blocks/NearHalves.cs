using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>Tells rows of halves that become floats with fewer instructions: without ±∞ and NaN (<see cref="StoredFiniteHalf"/>), and of normal numbers alone (<see cref="NormalHalfRow"/>).</summary>
internal static unsafe class NearHalves
{
    private const ushort Magnitude = 0x7FFF, Infinity = 0x7C00, SmallestNormal = 0x0400;

    /// <summary>Whether no element of some rows is ±∞ or NaN.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Elements of a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AreFinite(BlockRows rows, int count, int columns)
    {
        Vector<ushort> largest = Vector<ushort>.Zero, more = Vector<ushort>.Zero, mask = new(Magnitude);
        int n = Vector<ushort>.Count, largestOfRest = 0;
        for (int j = 0; j < count; j++)
        {
            ushort* row = (ushort*)rows.Row(j);
            int c = 0;
            for (; c + 2 * n <= columns; c += 2 * n)
            {
                largest = Vector.Max(largest, Vector.Load(row + c) & mask);
                more = Vector.Max(more, Vector.Load(row + c + n) & mask);
            }

            for (; c < columns; c++)
                largestOfRest = Math.Max(largestOfRest, row[c] & Magnitude);
        }

        return Vector.LessThanAll(Vector.Max(largest, more), new Vector<ushort>(Infinity)) && largestOfRest < Infinity;
    }

    /// <summary>Whether all elements of some rows are normal numbers: no ±∞, no NaN, no subnormal number and no zero.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Elements of a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AreNormal(BlockRows rows, int count, int columns)
    {
        // Twice the number loses its sign; less twice the smallest normal one, those below it are the largest of all.
        const ushort Twice = 2 * SmallestNormal, Limit = 2 * Infinity - Twice;
        Vector<ushort> largest = Vector<ushort>.Zero, more = Vector<ushort>.Zero, smallest = new(Twice);
        int n = Vector<ushort>.Count, largestOfRest = 0;
        for (int j = 0; j < count; j++)
        {
            ushort* row = (ushort*)rows.Row(j);
            int c = 0;
            for (; c + 2 * n <= columns; c += 2 * n)
            {
                Vector<ushort> x = Vector.Load(row + c), y = Vector.Load(row + c + n);
                largest = Vector.Max(largest, x + x - smallest);
                more = Vector.Max(more, y + y - smallest);
            }

            for (; c < columns; c++)
                largestOfRest = Math.Max(largestOfRest, (ushort)(2 * row[c] - Twice));
        }

        return Vector.LessThanAll(Vector.Max(largest, more), new Vector<ushort>(Limit)) && largestOfRest < Limit;
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
