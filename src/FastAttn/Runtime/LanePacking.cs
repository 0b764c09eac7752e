using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>The step from rows in memory, one a query, to queries in lanes, and back.</summary>
/// <remarks>
/// It goes by a cache line of every row and so by as many rows of lanes: each line is read and written while it is near. Four rows
/// of queries from one end to the other would come by every line of lanes once for each four of their queries (a boolean mask
/// gains 4% of a call by this, other packing nothing: AVX-512).
/// </remarks>
internal static unsafe class LanePacking
{
    private const int LineFloats = Prefetcher.LineFloats;

    /// <summary>X[t][q] = scale·row q[firstColumn + t]; lanes without a row are 0.</summary>
    /// <typeparam name="TElement">What rows consist of.</typeparam>
    /// <param name="rows">The start of each row.</param>
    /// <param name="rowCount">Rows.</param>
    /// <param name="firstColumn">The first element that is taken of each row.</param>
    /// <param name="columns">Elements that are taken.</param>
    /// <param name="scale">Their factor.</param>
    /// <param name="destination">X: <paramref name="columns"/> × <paramref name="width"/>.</param>
    /// <param name="width">Lanes.</param>
    /// <param name="overlay">Whether X holds a mask already, on which hidden elements are laid.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack<TElement>(void** rows, int rowCount, long firstColumn, int columns, float scale, float* destination, int width, bool overlay = false)
        where TElement : struct, IMaskElement
    {
        for (int line = 0; line < columns; line += LineFloats)
        {
            int end = Math.Min(line + LineFloats, columns), q = 0;
            for (; q + 4 <= rowCount; q += 4)
            {
                void* a = rows[q], b = rows[q + 1], c = rows[q + 2], d = rows[q + 3];
                float* x = destination + (long)line * width + q;
                int t = line;
                for (; t + 4 <= end; t += 4, x += 4 * width)
                {
                    (Vector128<float> first, Vector128<float> second, Vector128<float> third, Vector128<float> fourth) =
                        TElement.LoadColumns(a, b, c, d, firstColumn + t, scale);
                    Store<TElement>(first, x, overlay);
                    Store<TElement>(second, x + width, overlay);
                    Store<TElement>(third, x + 2 * width, overlay);
                    Store<TElement>(fourth, x + 3 * width, overlay);
                }

                for (; t < end; t++, x += width)
                {
                    for (int i = 0; i < 4; i++)
                        Store<TElement>(TElement.Load(rows[q + i], firstColumn + t, scale), x + i, overlay);
                }
            }

            for (; q < width; q++)
            {
                for (int t = line; t < end; t++)
                    Store<TElement>(q < rowCount ? TElement.Load(rows[q], firstColumn + t, scale) : 0, destination + (long)t * width + q, overlay);
            }
        }
    }

    /// <summary>Row q[t] = factor[q]·X[t][q].</summary>
    /// <param name="source">X: <paramref name="columns"/> × <paramref name="width"/>.</param>
    /// <param name="width">Lanes.</param>
    /// <param name="factor">A factor a lane.</param>
    /// <param name="rows">The start of each row.</param>
    /// <param name="rowCount">Rows.</param>
    /// <param name="columns">Floats in a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack(float* source, int width, float* factor, float** rows, int rowCount, int columns)
    {
        for (int line = 0; line < columns; line += LineFloats)
        {
            int end = Math.Min(line + LineFloats, columns), q = 0;
            for (; q + 4 <= rowCount; q += 4)
            {
                float* a = rows[q], b = rows[q + 1], c = rows[q + 2], d = rows[q + 3];
                float* x = source + (long)line * width + q;
                Vector128<float> f = Vector128.Load(factor + q);
                int t = line;
                for (; t + 4 <= end; t += 4, x += 4 * width)
                {
                    (Vector128<float> first, Vector128<float> second, Vector128<float> third, Vector128<float> fourth) = Transpose.Of(
                        Vector128.Load(x) * f, Vector128.Load(x + width) * f, Vector128.Load(x + 2 * width) * f, Vector128.Load(x + 3 * width) * f);
                    first.Store(a + t);
                    second.Store(b + t);
                    third.Store(c + t);
                    fourth.Store(d + t);
                }

                for (; t < end; t++, x += width)
                {
                    for (int i = 0; i < 4; i++)
                        rows[q + i][t] = x[i] * factor[q + i];
                }
            }

            for (; q < rowCount; q++)
            {
                for (int t = line; t < end; t++)
                    rows[q][t] = source[(long)t * width + q] * factor[q];
            }
        }
    }

    /// <summary>X[t] = scale·row[firstColumn + t]: a row as it lies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy<TElement>(void* row, long firstColumn, int columns, float scale, float* destination, bool overlay)
        where TElement : struct, IMaskElement
    {
        int t = 0;
        for (; t + 4 <= columns; t += 4)
            Store<TElement>(TElement.LoadFour(row, firstColumn + t, scale), destination + t, overlay);
        for (; t < columns; t++)
            Store<TElement>(TElement.Load(row, firstColumn + t, scale), destination + t, overlay);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TElement>(Vector128<float> element, float* destination, bool overlay)
        where TElement : struct, IMaskElement
    {
        // Chosen, not added: a hidden NaN is hidden.
        if (TElement.OnlyHides && overlay)
            element = Vector128.ConditionalSelect(Vector128.Equals(element, Vector128<float>.Zero), Vector128.Load(destination), element);
        element.Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TElement>(float element, float* destination, bool overlay)
        where TElement : struct, IMaskElement
    {
        if (!(TElement.OnlyHides && overlay && element == 0))
            *destination = element;
    }
}
