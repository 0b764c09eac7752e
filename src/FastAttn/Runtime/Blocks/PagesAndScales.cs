namespace FastAttn.Runtime;

/// <summary>The pages of rows, and their separately stored scales. It is in the driver's stack frame, so that copies of rows without either stay small.</summary>
internal unsafe struct PagesAndScales
{
    /// <summary>The page of each <see cref="PageSize"/> tokens of the sequence; null if rows are not in pages.</summary>
    public int* Pages;

    /// <summary>Rows in a page.</summary>
    public int PageSize;

    /// <summary>Bytes from page to page.</summary>
    public long PageStride;

    /// <summary>The scale of the sequence's first row or, with pages, of the first row of page 0; null if rows have none.</summary>
    public float* Scales;

    /// <summary>
    /// The scales, then the minima of the columns, halves, of the sequence's first <see cref="AttentionInput.ScaledTokens"/> rows or, with pages, of the first ones of page 0; null if
    /// rows have none.
    /// </summary>
    public ushort* ScalesAndMinima;

    /// <summary>Columns of a row: the minima come this many halves after the scales.</summary>
    public int Columns;

    /// <summary>Floats from scale to scale, or halves from the scales and minima of a group of rows to those of the next.</summary>
    public long ScaleStride;

    /// <summary>Floats, or halves, from the scales of a page to those of the next.</summary>
    public long ScalePageStride;

    /// <summary>A scale for each column; null if columns have none.</summary>
    public float* ColumnScales;
}
