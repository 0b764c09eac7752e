using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// The keys or the values of one head of a sequence as they are stored, a row for each token: at a constant stride, or in pages
/// anywhere in memory.
/// </summary>
internal readonly unsafe struct StoredRows
{
    /// <summary>Row 0 or, with pages, the first row of page 0; null for none.</summary>
    public byte* Start { get; init; }

    /// <summary>Bytes from row to row.</summary>
    public long Stride { get; init; }

    /// <summary>Pages and scales; null if the rows have neither.</summary>
    public PagesAndScales* PagesAndScales { get; init; }

    /// <summary>The element type of the rows.</summary>
    public AttentionElement Element { get; init; }

    /// <summary>The token of the sequence to which row 0 belongs; only rows with pages or scales know it.</summary>
    private int First { get; init; }

    /// <summary>Whether the rows are in pages.</summary>
    public bool IsPaged
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => PagesAndScales != null && PagesAndScales->Pages != null;
    }

    /// <summary>Whether each row has a scale.</summary>
    public bool HasScales => PagesAndScales != null && PagesAndScales->Scales != null;

    /// <summary>Adjacent rows of floats.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="columns">Floats in a row.</param>
    public static StoredRows Of(float* rows, int columns) => new() { Start = (byte*)rows, Stride = columns * sizeof(float) };

    /// <summary>A row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Row(int index) => IsPaged ? RowInPage(index) : Start + index * Stride;

    /// <summary>A row of floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Floats(int index) => (float*)Row(index);

    /// <summary>The rows from a given one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public StoredRows From(int index) => new() { Start = IsPaged ? Start : Start + index * Stride, Stride = Stride, PagesAndScales = PagesAndScales, Element = Element, First = First + index };

    /// <summary>How many rows from a given one on are at the stride, at most <paramref name="count"/>: all, or those up to the end of its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Together(int index, int count) => IsPaged ? Math.Min(count, PagesAndScales->PageSize - (First + index) % PagesAndScales->PageSize) : count;

    /// <summary>Whether a row, which is in a page, is the first of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool BeginsPage(int index) => (First + index) % PagesAndScales->PageSize == 0;

    /// <summary>The scale of a row.</summary>
    public float Scale(int index) => *ScaleOf(index);

    /// <summary>The scales of the columns, then their minima, that a row shares with its neighbours (<see cref="PagesAndScales.ScalesAndMinima"/>).</summary>
    public ushort* ScalesAndMinima(int index)
    {
        PagesAndScales* pagesAndScales = PagesAndScales;
        if (pagesAndScales->Pages == null)
            return pagesAndScales->ScalesAndMinima + (First + index) / AttentionInput.ScaledTokens * pagesAndScales->ScaleStride;
        (int page, int row) = Math.DivRem(First + index, pagesAndScales->PageSize);
        return pagesAndScales->ScalesAndMinima + pagesAndScales->Pages[page] * pagesAndScales->ScalePageStride + row / AttentionInput.ScaledTokens * pagesAndScales->ScaleStride;
    }

    /// <summary>How many rows from a given one on share its scales and minima, at most <paramref name="count"/>. They are at the stride.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int TogetherScaled(int index, int count) => Math.Min(count, AttentionInput.ScaledTokens - (First + index) % AttentionInput.ScaledTokens);

    /// <summary>Copies the scales of the first rows, page by page if rows are in pages.</summary>
    public void CopyScales(float* destination, int count)
    {
        long stride = PagesAndScales->ScaleStride;
        for (int i = 0; i < count;)
        {
            float* scale = ScaleOf(i);
            for (int end = i + Together(i, count - i); i < end; i++, scale += stride)
                destination[i] = *scale;
        }
    }

    /// <summary>An element of a row, scaled.</summary>
    public float At(int row, int column)
    {
        float element = 0;
        ElementReading reading = new(Row(row), column, &element);
        if (Element == AttentionElement.Int4)
        {
            reading.Visit<Int4Row>();
            var scalesAndMinima = (Half*)ScalesAndMinima(row);
            return element * (float)scalesAndMinima[column] + (float)scalesAndMinima[PagesAndScales->Columns + column];
        }

        StoredElements.Visit(Element, ref reading);
        if (HasScales)
            element *= Scale(row);
        return PagesAndScales != null && PagesAndScales->ColumnScales != null ? element * PagesAndScales->ColumnScales[column] : element;
    }

    private float* ScaleOf(int index)
    {
        PagesAndScales* pagesAndScales = PagesAndScales;
        if (pagesAndScales->Pages == null)
            return pagesAndScales->Scales + (First + index) * pagesAndScales->ScaleStride;
        (int page, int row) = Math.DivRem(First + index, pagesAndScales->PageSize);
        return pagesAndScales->Scales + pagesAndScales->Pages[page] * pagesAndScales->ScalePageStride + row * pagesAndScales->ScaleStride;
    }

    private byte* RowInPage(int index)
    {
        (int page, int row) = Math.DivRem(First + index, PagesAndScales->PageSize);
        return Start + PagesAndScales->Pages[page] * PagesAndScales->PageStride + row * Stride;
    }

    private readonly struct ElementReading(byte* row, int column, float* element) : IStoredVisitor
    {
        public void Visit<TRow>()
            where TRow : struct, IStoredRow => TRow.Load<Lanes1>(row, column).Store(ref *element);
    }
}
