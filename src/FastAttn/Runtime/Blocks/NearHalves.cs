using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Tells rows of halves without ±∞ and NaN, which become floats with half the instructions (<see cref="StoredFiniteHalf"/>).</summary>
internal static unsafe class NearHalves
{
    private const ushort Magnitude = 0x7FFF, Infinity = 0x7C00;

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
}
