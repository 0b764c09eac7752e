using System;

namespace FastAttn;

/// <summary>
/// Which pages hold the keys and values of each sequence (PagedAttention, arXiv 2309.06180), where these are kept in pages of one size, in any order. The batch axis
/// of keys and values is then the axis of pages: K is [P, H_kv, S, d_k], or [P, S, H_kv, d_k] as the shape's layout says, or at strides, and V likewise, with S tokens in a
/// page. <c>default</c> for none.
/// </summary>
/// <remarks>
/// Key <c>j</c> of sequence <c>b</c> is row <c>j mod S</c> of page <c>Table[b, j / S]</c>. Results have the bits that they have with the keys and values of each
/// sequence one after the other. Any page size will do; for <see cref="AttentionElement.Int4"/> any multiple of 32. If it is a multiple of 96 tokens, a key block,
/// prompts read floats in place; otherwise they copy them block by block.
/// </remarks>
public readonly ref struct AttentionPages
{
    /// <summary>Sets the pages.</summary>
    /// <param name="table">
    /// [B, N]: for each sequence its pages in the order of its tokens. Entries after the last page in which a sequence has keys are not read. Sequences may share pages.
    /// </param>
    /// <param name="pageSize">S: tokens in a page, at least 1. It must be the size with which the pages were written: <see cref="KeyValuePages.Table"/> uses theirs.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page size is not positive.</exception>
    public AttentionPages(ReadOnlySpan<int> table, int pageSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        Table = table;
        PageSize = pageSize;
    }

    /// <summary>[B, N]: the pages of each sequence.</summary>
    public ReadOnlySpan<int> Table { get; }

    /// <summary>S: tokens in a page; 0 where keys and values are not in pages.</summary>
    public int PageSize { get; }

    /// <summary>Whether keys and values are in pages.</summary>
    internal bool IsGiven => PageSize > 0;

    /// <summary>N, for a batch of this many sequences.</summary>
    internal int PagesOfSequence(int batch) => batch == 0 ? 0 : Table.Length / batch;

    /// <summary>Checks the pages that have keys; returns how many pages there must be, and the sequence that has the last of them.</summary>
    /// <param name="shape">The sizes of the call.</param>
    /// <param name="keyLengths">The keys of each sequence; empty if the shape gives them.</param>
    /// <param name="parameter">The parameter that errors name.</param>
    /// <exception cref="ArgumentException">Something does not fit.</exception>
    internal (int Pages, int LastPageOf) Check(in AttentionShape shape, ReadOnlySpan<int> keyLengths, string parameter)
    {
        int pagesOfSequence = PagesOfSequence(shape.Batch), last = -1, sequence = 0;
        if (Table.Length != (long)shape.Batch * pagesOfSequence)
            throw new ArgumentException($"The table of KeyPages has {Table.Length} elements, which is no multiple of the batch {shape.Batch}.", parameter);

        // Without lengths all sequences have the same number of keys: if that is 0, there is nothing to check.
        if (keyLengths.IsEmpty && shape.KeyLength == 0)
            return (0, 0);
        for (int b = 0; b < shape.Batch; b++)
        {
            int keys = keyLengths.IsEmpty ? shape.KeyLength : keyLengths[b], used = (int)(((long)keys + PageSize - 1) / PageSize);
            if (used > pagesOfSequence)
                throw new ArgumentException($"Sequence {b} has {keys} keys, for which {used} pages of {PageSize} are needed; the table of KeyPages has {pagesOfSequence} for each sequence.", parameter);
            foreach (int page in Table.Slice(b * pagesOfSequence, used))
            {
                if (page is < 0 or int.MaxValue)
                    throw new ArgumentOutOfRangeException(parameter, page, $"KeyPages give sequence {b} a page that does not exist among the {used} of its {keys} keys; KeyLengths say where a sequence has fewer.");
                if (page > last)
                    (last, sequence) = (page, b);
            }
        }

        return (last + 1, sequence);
    }
}
