using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The step from rows in memory, one for each query, to queries in lanes, and back: square by square, in registers.</summary>
/// <remarks>
/// With AVX-512 a square is a cache line of 16 rows and becomes 16 lines, so each is read and written once: 0.5 to 0.7 of the time of
/// squares of 4. Reading part of 16 rows' lines at a time takes twice that if rows are a multiple of 4 KiB apart: their lines map
/// to one set of the L1 cache.
/// </remarks>
/// <typeparam name="TVector">The vector, whose lanes are a side of a square.</typeparam>
internal static unsafe class LanePacking<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>X[t][q] = scale·row q[firstColumn + t].</summary>
    /// <typeparam name="TElement">The element type of rows.</typeparam>
    /// <param name="rows">The start of the row of each lane.</param>
    /// <param name="firstColumn">The first element of each row that is read.</param>
    /// <param name="columns">Elements that are read.</param>
    /// <param name="scale">The factor.</param>
    /// <param name="destination">X: <paramref name="columns"/> rows.</param>
    /// <param name="width">Lanes.</param>
    /// <param name="stride">Floats from row to row of X.</param>
    /// <param name="overlay">Whether X already holds a mask, which hidden elements are combined with.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack<TElement>(void** rows, long firstColumn, int columns, float scale, float* destination, int width, int stride, bool overlay = false)
        where TElement : struct, IRowElement
    {
        if (columns < TVector.Count)
        {
            if (columns >= Lanes4.Count)
                LanePacking<Lanes4>.Pack<TElement>(rows, firstColumn, columns, scale, destination, width, stride, overlay);
            else if (columns > 0)
                LanePacking<Lanes1>.Pack<TElement>(rows, firstColumn, columns, scale, destination, width, stride, overlay);
            return;
        }

        TVector factor = TVector.Create(scale);
        for (int q = 0; q < width; q += TVector.Count)
        {
            for (int t = 0; t < columns; t = Next(t, columns))
                TVector.Transpose(new Elements<TElement>(rows + q, firstColumn + t, factor), new Lanes<TElement>(destination + (long)t * stride + q, stride, overlay));
        }
    }

    /// <summary>X[t][q] = scale·row[firstColumn + t]: as <see cref="Pack"/> if all lanes share one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Repeat<TElement>(void* row, long firstColumn, int columns, float scale, float* destination, int width, int stride, bool overlay)
        where TElement : struct, IRowElement
    {
        float element = 0;
        for (int t = 0; t < columns; t++, destination += stride)
        {
            TElement.Load(row, firstColumn + t, Lanes1.Create(scale)).Store(ref element);
            for (int q = 0; q < width; q += TVector.Count)
                Store<TElement>(TVector.Create(element), destination + q, overlay);
        }
    }

    /// <summary>Row q[t] = factor[q]·X[t][q].</summary>
    /// <param name="source">X: <paramref name="columns"/> rows.</param>
    /// <param name="width">Lanes.</param>
    /// <param name="stride">Floats from row to row of X.</param>
    /// <param name="factor">A factor per lane.</param>
    /// <param name="rows">The start of the row of each lane.</param>
    /// <param name="columns">Floats in a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack(float* source, int width, int stride, float* factor, float** rows, int columns)
    {
        if (columns < TVector.Count)
        {
            if (columns >= Lanes4.Count)
                LanePacking<Lanes4>.Unpack(source, width, stride, factor, rows, columns);
            else if (columns > 0)
                LanePacking<Lanes1>.Unpack(source, width, stride, factor, rows, columns);
            return;
        }

        for (int q = 0; q < width; q += TVector.Count)
        {
            TVector f = TVector.Load(ref factor[q]);
            for (int t = 0; t < columns; t = Next(t, columns))
                TVector.Transpose(new ScaledLanes(source + (long)t * stride + q, stride, f), new Rows(rows + q, t));
        }
    }

    /// <summary>X[t] = scale·row[firstColumn + t]: a row as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy<TElement>(void* row, long firstColumn, int columns, float scale, float* destination, bool overlay)
        where TElement : struct, IRowElement
    {
        int t = 0;
        for (; t + TVector.Count <= columns; t += TVector.Count)
            Store<TElement>(TElement.Load(row, firstColumn + t, TVector.Create(scale)), destination + t, overlay);
        if (t < columns)
            LanePacking<Lanes1>.Copy<TElement>(row, firstColumn + t, columns - t, scale, destination + t, overlay);
    }

    /// <summary>The next square's first column. If the remaining columns do not fill a square, the last square begins early: it takes some columns a second time and writes the same values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Next(int column, int columns)
    {
        column += TVector.Count;
        return column < columns && column > columns - TVector.Count ? columns - TVector.Count : column;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TElement>(TVector element, float* destination, bool overlay)
        where TElement : struct, IRowElement
    {
        // The element is selected, not added, so that it hides a NaN.
        if (TElement.OnlyHides && overlay)
            element = TVector.SelectGreaterOrEqual(element, TVector.Create(0), TVector.Load(ref *destination), element);
        element.Store(ref *destination);
    }

    private readonly struct Elements<TElement>(void** rows, long column, TVector scale) : ISquareSource<TVector>
        where TElement : struct, IRowElement
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Load(int row) => TElement.Load(rows[row], column, scale);
    }

    private readonly struct Lanes<TElement>(float* first, int stride, bool overlay) : ISquareSink<TVector>
        where TElement : struct, IRowElement
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(int row, TVector vector) => LanePacking<TVector>.Store<TElement>(vector, first + (long)row * stride, overlay);
    }

    private readonly struct ScaledLanes(float* first, int stride, TVector factor) : ISquareSource<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Load(int row) => TVector.Load(ref first[(long)row * stride]) * factor;
    }

    private readonly struct Rows(float** rows, long column) : ISquareSink<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(int row, TVector vector) => vector.Store(ref rows[row][column]);
    }
}
