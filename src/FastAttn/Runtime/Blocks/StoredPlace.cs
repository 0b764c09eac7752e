namespace FastAttn.Runtime;

/// <summary>The pages that rows are in, and the scales that stand apart from them. It lives in the driver's stack frame, so that copies of rows without either stay small.</summary>
internal unsafe struct StoredPlace
{
    /// <summary>The page of each <see cref="PageSize"/> tokens of the sequence; null where rows are not in pages.</summary>
    public int* Pages;

    /// <summary>Rows in a page.</summary>
    public int PageSize;

    /// <summary>Bytes from page to page.</summary>
    public long PageStride;

    /// <summary>The scale of the sequence's first row or, with pages, of the first row of page 0; null where rows have none.</summary>
    public float* Scales;

    /// <summary>Floats from scale to scale.</summary>
    public long ScaleStride;

    /// <summary>Floats from the scales of a page to those of the next.</summary>
    public long ScalePageStride;

    /// <summary>A scale for each column; null where columns have none.</summary>
    public float* ColumnScales;
}
