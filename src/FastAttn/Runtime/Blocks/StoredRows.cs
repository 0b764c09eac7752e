using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// The keys or the values of one head of a sequence as they are stored, a row for each token: one after the other at a stride, or in pages, which
/// stand anywhere.
/// </summary>
internal readonly unsafe struct StoredRows
{
    // With pages, the token that row 0 is; else the rows begin with it.
    private readonly int _first;

    /// <summary>Row 0 or, with pages, the first row of page 0; null for none.</summary>
    public byte* Start { get; init; }

    /// <summary>Bytes from row to row.</summary>
    public long Stride { get; init; }

    /// <summary>What the rows consist of.</summary>
    public AttentionElement Element { get; init; }

    /// <summary>The page of each <see cref="PageSize"/> tokens of the sequence; null where rows are not in pages.</summary>
    public int* Pages { get; init; }

    /// <summary>Rows in a page.</summary>
    public int PageSize { get; init; }

    /// <summary>Bytes from page to page.</summary>
    public long PageStride { get; init; }

    /// <summary>Rows of floats that follow each other without a gap.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="columns">Floats in a row.</param>
    public static StoredRows Of(float* rows, int columns) => new() { Start = (byte*)rows, Stride = columns * sizeof(float) };

    /// <summary>A row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Row(int index) => Pages == null ? Start + index * Stride : RowInPage(index);

    /// <summary>A row of floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Floats(int index) => (float*)Row(index);

    /// <summary>The rows from one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public StoredRows From(int index) => Pages == null ? this with { Start = Start + index * Stride } : new(this, _first + index);

    /// <summary>How many rows from one on stand at the stride, at most <paramref name="count"/>: all, or those up to the end of its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Together(int index, int count) => Pages == null ? count : Math.Min(count, PageSize - (_first + index) % PageSize);

    /// <summary>An element of a row.</summary>
    public float At(int row, int column)
    {
        float number;
        StoredElements.Visit(Element, new RowWidening<Lanes1>(Row(row) + column * AttentionInput.BytesOf(Element), &number, columns: 1));
        return number;
    }

    private StoredRows(in StoredRows rows, int first)
    {
        this = rows;
        _first = first;
    }

    private byte* RowInPage(int index)
    {
        (int page, int row) = Math.DivRem(_first + index, PageSize);
        return Start + Pages[page] * PageStride + row * Stride;
    }
}
