using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Copies rows of <see cref="AttentionElement.Int4"/> as floats, <c>d·q + m</c>. The product has 15 bits and is exact, so that the number is rounded once on all instruction sets, with or
/// without fused multiply-add.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class Int4Widening<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>Widens rows one stride apart.</summary>
    /// <param name="stored">All rows.</param>
    /// <param name="first">The first of those.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Elements of a row, a multiple of 32.</param>
    /// <param name="destination">Written.</param>
    /// <param name="copiedColumns">Floats from row to row there; those past the columns become 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(in StoredRows stored, int first, int count, int columns, float* destination, int copiedColumns)
    {
        for (int i = 0, together; i < count; i += together, destination += (long)together * copiedColumns)
        {
            together = stored.TogetherScaled(first + i, count - i);
            Widen(new(stored.Row(first + i), stored.Stride), together, columns, stored.ScalesAndMinima(first + i), destination, copiedColumns);
        }
    }

    /// <summary>Widens rows that share scales and minima.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(BlockRows rows, int count, int columns, ushort* scalesAndMinima, float* destination, int copiedColumns)
    {
        int n = TVector.Count;
        for (int c = 0; c < columns; c += 2 * n)
        {
            TVector scale = TVector.LoadHalf(scalesAndMinima + c), nextScale = TVector.LoadHalf(scalesAndMinima + c + n);
            TVector min = TVector.LoadHalf(scalesAndMinima + columns + c), nextMin = TVector.LoadHalf(scalesAndMinima + columns + c + n);
            byte* row = rows.First;
            float* to = destination + c;
            for (int j = 0; j < count; j++, row += rows.Stride, to += copiedColumns)
            {
                Int4Row.LoadPair(row, c, out TVector x, out TVector y);
                TVector.MultiplyAdd(x, scale, min).Store(ref *to);
                TVector.MultiplyAdd(y, nextScale, nextMin).Store(ref to[n]);
            }
        }

        for (int j = 0; j < count && columns < copiedColumns; j++)
            new Span<float>(destination + (long)j * copiedColumns + columns, copiedColumns - columns).Clear();
    }
}
