using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>The step from rows in memory, one a query, to queries in lanes.</summary>
internal static unsafe class LanePacking
{
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
        int q = 0;
        for (; q + 4 <= rowCount; q += 4)
        {
            void* a = rows[q], b = rows[q + 1], c = rows[q + 2], d = rows[q + 3];
            float* x = destination + q;
            int t = 0;
            for (; t + 4 <= columns; t += 4, x += 4 * width)
            {
                (Vector128<float> first, Vector128<float> second, Vector128<float> third, Vector128<float> fourth) =
                    TElement.LoadColumns(a, b, c, d, firstColumn + t, scale);
                Store<TElement>(first, x, overlay);
                Store<TElement>(second, x + width, overlay);
                Store<TElement>(third, x + 2 * width, overlay);
                Store<TElement>(fourth, x + 3 * width, overlay);
            }

            for (; t < columns; t++, x += width)
            {
                for (int i = 0; i < 4; i++)
                    Store<TElement>(TElement.Load(rows[q + i], firstColumn + t, scale), x + i, overlay);
            }
        }

        for (; q < width; q++)
        {
            for (int t = 0; t < columns; t++)
                Store<TElement>(q < rowCount ? TElement.Load(rows[q], firstColumn + t, scale) : 0, destination + (long)t * width + q, overlay);
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
