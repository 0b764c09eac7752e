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

    /// <summary>The scale of row 0 or, with pages, of the first row of page 0; null where rows have none.</summary>
    public float* Scales { get; init; }

    /// <summary>Floats from scale to scale.</summary>
    public long ScaleStride { get; init; }

    /// <summary>Floats from the scales of a page to those of the next.</summary>
    public long ScalePageStride { get; init; }

    /// <summary>A scale for each column; null where columns have none.</summary>
    public float* ColumnScales { get; init; }

    /// <summary>Whether the elements of a row are in groups, so that it is read as a whole.</summary>
    public bool IsInGroups => Element is AttentionElement.Int8Group32 or AttentionElement.Int4Group32;

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
    public StoredRows From(int index)
    {
        if (Pages != null)
            return new(this, _first + index);
        return this with { Start = Start + index * Stride, Scales = Scales == null ? null : Scales + index * ScaleStride };
    }

    /// <summary>How many rows from one on stand at the stride, at most <paramref name="count"/>: all, or those up to the end of its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Together(int index, int count) => Pages == null ? count : Math.Min(count, PageSize - (_first + index) % PageSize);

    /// <summary>Whether a row, which is in a page, is the first of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool BeginsPage(int index) => (_first + index) % PageSize == 0;

    /// <summary>The scale of a row.</summary>
    public float Scale(int index)
    {
        if (Pages == null)
            return Scales[index * ScaleStride];
        (int page, int row) = Math.DivRem(_first + index, PageSize);
        return Scales[Pages[page] * ScalePageStride + row * ScaleStride];
    }

    /// <summary>Copies the scales of the first rows.</summary>
    public void CopyScales(float* destination, int count)
    {
        for (int i = 0; i < count; i++)
            destination[i] = Scale(i);
    }

    /// <summary>An element of a row, scaled.</summary>
    public float At(int row, int column)
    {
        const int Group = AttentionInput.GroupLength;
        float* numbers = stackalloc float[Group];
        int first = IsInGroups ? column / Group * Group : column, columns = IsInGroups ? Group : 1;
        RowWidening<Lanes1>.Widen(this, Row(row) + AttentionInput.BytesOf(Element, first), first, row, numbers, columns);
        return numbers[column - first];
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
