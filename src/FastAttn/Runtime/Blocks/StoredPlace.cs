namespace FastAttn.Runtime;

/// <summary>What rows have that are in pages, or whose scales stand apart. It stands in the driver's frame, so that rows that have neither do not carry it along.</summary>
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
