using System;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Keys or values in pages that the caller owns, [P, H_kv, S, d], to which rows are written by slot (vLLM's <c>reshape_and_cache</c> with its <c>slot_mapping</c>,
/// arXiv 2309.06180). An attention reads them as <see cref="Input"/>, with <see cref="AttentionOptions.KeyPages"/> (<see cref="Table"/>). To leave the pages to the library, use a
/// <see cref="KeyValuePagePool"/>.
/// </summary>
/// <remarks>
/// <para>
/// This is a view, which cannot be a field: keep the memory, and make a view for each write and attention. That allocates nothing and reads no elements, except that
/// <see cref="OfInt8PerChannel"/> reads all its scales.
/// </para>
/// <para>
/// The <b>slot</b> of a token is <c>page·S + row</c>: the page, and the row in it, of its key or value in all heads. With a table of pages, vLLM's block table,
/// token <c>i</c> of sequence <c>b</c> has the slot <c>table[b, i / S]·S + i mod S</c>. Write tokens before attending over them; <see cref="AttentionOptions.KeyLengths"/> count them.
/// </para>
/// <para>
/// Rows are rounded to the elements' type as by <see cref="KeyValueQuantizer"/>, to nearest, ties to even: they have the bits that a <see cref="PagedSequence"/> gives them. There are no
/// pages of <see cref="AttentionElement.Int4"/>, which rounds 32 tokens together instead of one by one; a <see cref="KeyValuePagePool"/> has them.
/// </para>
/// </remarks>
public readonly ref struct KeyValuePages
{
    private readonly ref byte _start;

    // Elements up to the end of the last row.
    private readonly int _length;
    private readonly AttentionStrides _strides;

    /// <summary>Pages of floats.</summary>
    /// <param name="elements">[P, H_kv, S, d], or as <paramref name="strides"/> say.</param>
    /// <param name="pageCount">P: pages, at least 1.</param>
    /// <param name="pageSize">S: tokens in a page, at least 1.</param>
    /// <param name="keyValueHeads">H_kv, at least 1.</param>
    /// <param name="dim">d: d_k of keys, d_v of values; 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="strides">
    /// The strides of the rows, in elements; the batch stride goes from page to page, and rows must not overlap. Null for [P, H_kv, S, d]. Pages [P, S, H_kv, d], as vLLM has them for
    /// FlashAttention, have the strides of <see cref="AttentionStrides.Of"/> with <see cref="AttentionLayout.BatchLengthHeadDim"/> and a capacity of S.
    /// </param>
    /// <exception cref="ArgumentException">A number is outside its range, the buffer is too short, or rows overlap.</exception>
    [OverloadResolutionPriority(1)]
    public KeyValuePages(Span<float> elements, int pageCount, int pageSize, int keyValueHeads, int dim, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.Float32, pageCount, pageSize, keyValueHeads, dim, strides, nameof(elements))
    {
    }

    /// <summary>Pages of halves.</summary>
    /// <param name="elements">[P, H_kv, S, d], or as <paramref name="strides"/> say.</param>
    /// <param name="pageCount">P: pages, at least 1.</param>
    /// <param name="pageSize">S: tokens in a page, at least 1.</param>
    /// <param name="keyValueHeads">H_kv, at least 1.</param>
    /// <param name="dim">d: d_k of keys, d_v of values; 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="strides">The strides of the rows, in elements, as with floats; null for [P, H_kv, S, d].</param>
    /// <exception cref="ArgumentException">A number is outside its range, the buffer is too short, or rows overlap.</exception>
    public KeyValuePages(Span<Half> elements, int pageCount, int pageSize, int keyValueHeads, int dim, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.Float16, pageCount, pageSize, keyValueHeads, dim, strides, nameof(elements))
    {
    }

    /// <summary>Pages of bfloat16 numbers.</summary>
    /// <param name="elements">[P, H_kv, S, d], or as <paramref name="strides"/> say.</param>
    /// <param name="pageCount">P: pages, at least 1.</param>
    /// <param name="pageSize">S: tokens in a page, at least 1.</param>
    /// <param name="keyValueHeads">H_kv, at least 1.</param>
    /// <param name="dim">d: d_k of keys, d_v of values; 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="strides">The strides of the rows, in elements, as with floats; null for [P, H_kv, S, d].</param>
    /// <exception cref="ArgumentException">A number is outside its range, the buffer is too short, or rows overlap.</exception>
    public KeyValuePages(Span<BFloat16> elements, int pageCount, int pageSize, int keyValueHeads, int dim, AttentionStrides? strides = null)
        : this(ref FirstOf(elements), elements.Length, AttentionElement.BFloat16, pageCount, pageSize, keyValueHeads, dim, strides, nameof(elements))
    {
    }

    private KeyValuePages(
        ref byte start, int length, AttentionElement element, int pageCount, int pageSize, int keyValueHeads, int dim, AttentionStrides? strides, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pageSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(keyValueHeads, 1);
        const int Group = AttentionInput.GroupLength;
        bool isInGroups = AttentionInput.IsInGroups(element);
        if (dim is < 1 or > ScaledDotProductAttention.MaxDim)
            throw new ArgumentOutOfRangeException(nameof(dim), dim, $"The dimension must be 1 to {ScaledDotProductAttention.MaxDim}.");
        if (isInGroups && dim % Group != 0)
            throw new ArgumentOutOfRangeException(nameof(dim), dim, $"Elements in groups of {Group} need a dimension that is a multiple of it.");
        if (strides is { } given && isInGroups && (given.Batch | given.Head | given.Length) % Group != 0)
            throw new ArgumentException($"Elements in groups of {Group} need strides that are multiples of it, in elements rather than bytes, not {given}.", nameof(strides));
        Int128 rows = (Int128)pageCount * keyValueHeads * pageSize;
        if (rows * dim > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(pageCount), pageCount, $"Pages {pageCount} × key-value heads {keyValueHeads} × page size {pageSize} × dimension {dim} are {rows * dim} elements, more than a span can hold.");
        (PageCount, PageSize, KeyValueHeads, Dim, Element) = (pageCount, pageSize, keyValueHeads, dim, element);
        (_strides, _length) = CheckRows(length, dim, strides, name, nameof(strides), "elements");
        _start = ref start;
    }

    /// <summary>P: pages.</summary>
    public int PageCount { get; }

    /// <summary>S: tokens in a page.</summary>
    public int PageSize { get; }

    /// <summary>Key-value heads H_kv.</summary>
    public int KeyValueHeads { get; }

    /// <summary>d: elements in a row.</summary>
    public int Dim { get; }

    /// <summary>The element type.</summary>
    public AttentionElement Element { get; }

    /// <summary>All pages, at their strides and with their scales: keys or values of an attention with <see cref="AttentionOptions.KeyPages"/>.</summary>
    /// <remarks>A call without <see cref="AttentionOptions.KeyPages"/> cannot tell that these are pages: it reads them as sequences, page b as the first tokens of sequence b.</remarks>
    /// <exception cref="InvalidOperationException">These pages are <c>default</c>.</exception>
    public AttentionInput Input
    {
        get
        {
            ThrowIfDefault();
            return Element switch
            {
                AttentionElement.Float32 => new(ElementsAs<float>(_length), _strides),
                AttentionElement.Float16 => new(ElementsAs<Half>(_length), _strides),
                AttentionElement.BFloat16 => new(ElementsAs<BFloat16>(_length), _strides),
                AttentionElement.Int8 => new(ElementsAs<sbyte>(_length), ChannelScales.IsEmpty ? AttentionScales.PerToken(TokenScales, ScaleStrides) : AttentionScales.PerChannel(ChannelScales), _strides),
                _ => AttentionInput.OfGroups(ElementsAs<byte>((int)AttentionInput.BytesOf(Element, _length)), Element, _strides),
            };
        }
    }

    /// <summary>The pages of each sequence, with the page size of these pages, for <see cref="AttentionOptions.KeyPages"/>: vLLM's block table.</summary>
    /// <param name="table">[B, N]: for each sequence its pages in the order of its tokens, as <see cref="AttentionPages(ReadOnlySpan{int}, int)"/> says.</param>
    /// <exception cref="InvalidOperationException">These pages are <c>default</c>.</exception>
    public AttentionPages Table(ReadOnlySpan<int> table)
    {
        ThrowIfDefault();
        return new(table, PageSize);
    }

    /// <summary>The scale of each token and head, at <see cref="ScaleStrides"/>; empty if there are none.</summary>
    private Span<float> TokenScales { get; init; }

    private AttentionStrides ScaleStrides { get; init; }

    /// <summary>[H_kv, d]: the scale of each head and channel; empty if there are none.</summary>
    private ReadOnlySpan<float> ChannelScales { get; init; }

    private bool HasTokenScales => Element == AttentionElement.Int8 && ChannelScales.IsEmpty;

    /// <summary>Pages of 8-bit integers with a scale for each token and head, which is written with the token.</summary>
    /// <param name="elements">[P, H_kv, S, d], or as <paramref name="strides"/> say.</param>
    /// <param name="scales">[P, H_kv, S], or as <paramref name="scaleStrides"/> say.</param>
    /// <param name="pageCount">P: pages, at least 1.</param>
    /// <param name="pageSize">S: tokens in a page, at least 1.</param>
    /// <param name="keyValueHeads">H_kv, at least 1.</param>
    /// <param name="dim">d: d_k of keys, d_v of values; 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="strides">The strides of the rows, in elements, as with floats; null for [P, H_kv, S, d].</param>
    /// <param name="scaleStrides">The strides of the scale of each token and head; null for [P, H_kv, S]. Where elements have strides, scales must have their own.</param>
    /// <exception cref="ArgumentException">A number is outside its range, a buffer is too short, or rows or buffers overlap.</exception>
    public static KeyValuePages OfInt8PerToken(
        Span<sbyte> elements,
        Span<float> scales,
        int pageCount,
        int pageSize,
        int keyValueHeads,
        int dim,
        AttentionStrides? strides = null,
        AttentionStrides? scaleStrides = null)
    {
        KeyValuePages pages = new(ref FirstOf(elements), elements.Length, AttentionElement.Int8, pageCount, pageSize, keyValueHeads, dim, strides, nameof(elements));
        if (strides is not null && scaleStrides is null)
            throw new ArgumentException("There are strides for elements and none for their scales.", nameof(scaleStrides));
        (AttentionStrides placed, int count) = pages.CheckRows(scales.Length, dim: 1, scaleStrides, nameof(scales), nameof(scaleStrides), "scales");
        scales = scales[..count];
        if (pages.Overlaps<float>(scales))
            throw new ArgumentException("Overlaps elements.", nameof(scales));
        return pages with { TokenScales = scales, ScaleStrides = placed };
    }

    /// <summary>Pages of 8-bit integers with a given scale for each head and channel, which clips larger numbers (<see cref="KeyValueQuantizer.FindChannelScales"/>).</summary>
    /// <param name="elements">[P, H_kv, S, d], or as <paramref name="strides"/> say.</param>
    /// <param name="scales">[H_kv, d], finite and not negative.</param>
    /// <param name="pageCount">P: pages, at least 1.</param>
    /// <param name="pageSize">S: tokens in a page, at least 1.</param>
    /// <param name="keyValueHeads">H_kv, at least 1.</param>
    /// <param name="dim">d: d_k of keys, d_v of values; 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="strides">The strides of the rows, in elements, as with floats; null for [P, H_kv, S, d].</param>
    /// <exception cref="ArgumentException">A number is outside its range, a buffer is too short, or rows or buffers overlap.</exception>
    public static KeyValuePages OfInt8PerChannel(
        Span<sbyte> elements, ReadOnlySpan<float> scales, int pageCount, int pageSize, int keyValueHeads, int dim, AttentionStrides? strides = null)
    {
        KeyValuePages pages = new(ref FirstOf(elements), elements.Length, AttentionElement.Int8, pageCount, pageSize, keyValueHeads, dim, strides, nameof(elements));
        int count = keyValueHeads * dim;
        if (scales.Length < count)
            throw new ArgumentException($"Has {scales.Length} elements; key-value heads {keyValueHeads} × dimension {dim} need {count}.", nameof(scales));
        scales = scales[..count];
        KeyValueQuantizer.CheckScales(scales, nameof(scales));
        if (pages.Overlaps(scales))
            throw new ArgumentException("Overlaps elements.", nameof(scales));
        return pages with { ChannelScales = scales };
    }

    /// <summary>Pages of groups of 32 elements, each group with its own scale.</summary>
    /// <param name="groups">[P, H_kv, S, d / 32] groups, or as <paramref name="strides"/> say.</param>
    /// <param name="element"><see cref="AttentionElement.Int8Group32"/> or <see cref="AttentionElement.Int4Group32"/>.</param>
    /// <param name="pageCount">P: pages, at least 1.</param>
    /// <param name="pageSize">S: tokens in a page, at least 1.</param>
    /// <param name="keyValueHeads">H_kv, at least 1.</param>
    /// <param name="dim">d: d_k of keys, d_v of values; a multiple of 32 up to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="strides">The strides of the rows, in elements rather than bytes and multiples of 32 (<see cref="AttentionInput.OfGroups"/>); null for [P, H_kv, S, d].</param>
    /// <exception cref="ArgumentException">The elements are not in groups, a number is outside its range, the buffer is too short, or rows overlap.</exception>
    public static KeyValuePages OfGroups(Span<byte> groups, AttentionElement element, int pageCount, int pageSize, int keyValueHeads, int dim, AttentionStrides? strides = null)
    {
        if (element == AttentionElement.Int4)
            throw new ArgumentOutOfRangeException(nameof(element), element, $"KeyValuePages keep no {element}, which rounds {AttentionInput.ScaledTokens} tokens together; a KeyValuePagePool does.");
        int length = AttentionInput.OfGroups(groups, element).Length;
        return new(ref FirstOf(groups), length, element, pageCount, pageSize, keyValueHeads, dim, strides, nameof(groups));
    }

    /// <summary>Writes rows of new tokens to their slots, rounded to the pages' type.</summary>
    /// <param name="rows">The keys or the values: [T, H_kv, d]; more rows are ignored.</param>
    /// <param name="slots">[T]: the slot of each token, 0 to P·S − 1. A token with a negative slot is padding: it is not read or written.</param>
    /// <remarks>
    /// Tokens are written in order: if several have the same slot, the last of them stays. Floats, halves and bfloat16 keep NaN and ±∞, also numbers that rounding makes infinite.
    /// Integers refuse numbers that are not finite. Nothing is allocated. Threads may write other slots of the same pages at once.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// There are too few rows, a slot is outside its range, buffers overlap, or a number that becomes an integer is not finite, or has a group's scale or minimum larger than all finite halves;
    /// nothing has been written.
    /// </exception>
    /// <exception cref="InvalidOperationException">These pages are <c>default</c>.</exception>
    [OverloadResolutionPriority(1)]
    public void Write(ReadOnlySpan<float> rows, ReadOnlySpan<long> slots) => WriteTo(rows, slots);

    /// <inheritdoc cref="Write(ReadOnlySpan{float}, ReadOnlySpan{long})"/>
    public void Write(ReadOnlySpan<float> rows, ReadOnlySpan<int> slots) => WriteTo(rows, slots);

    /// <summary>
    /// Copies a page over another, with the scales of its tokens; use it before a sequence writes to a page that it shares with others, as forks of one prompt do (copy on write; vLLM's <c>copy_blocks</c>).
    /// </summary>
    /// <param name="from">The page that is copied, 0 to P − 1.</param>
    /// <param name="to">The page that is overwritten, 0 to P − 1; nothing happens if it is <paramref name="from"/>.</param>
    /// <remarks>All S tokens of all heads are copied, as they are stored. Memory between rows is left alone. Nothing is allocated. Threads may write and copy to other pages at once.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A number is not that of a page; nothing has been written.</exception>
    /// <exception cref="InvalidOperationException">These pages are <c>default</c>.</exception>
    public void CopyPage(int from, int to)
    {
        ThrowIfDefault();
        CheckPage(from, nameof(from));
        CheckPage(to, nameof(to));
        if (from == to)
            return;
        for (int head = 0; head < KeyValueHeads; head++)
        {
            for (int row = 0; row < PageSize; row++)
            {
                BytesOf(StartOf(_strides, from, head, row)).CopyTo(BytesOf(StartOf(_strides, to, head, row)));
                if (HasTokenScales)
                    TokenScales[(int)StartOf(ScaleStrides, to, head, row)] = TokenScales[(int)StartOf(ScaleStrides, from, head, row)];
            }
        }
    }

    private static ref byte FirstOf<T>(Span<T> elements)
        where T : unmanaged => ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(elements));

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
    private void WriteTo<TSlot>(ReadOnlySpan<float> rows, ReadOnlySpan<TSlot> slots)
        where TSlot : unmanaged, IBinaryInteger<TSlot>
    {
        ThrowIfDefault();
        Int128 needed = (Int128)slots.Length * KeyValueHeads * Dim;
        if (rows.Length < needed)
            throw new ArgumentException($"Has {rows.Length} elements; tokens {slots.Length} × key-value heads {KeyValueHeads} × dimension {Dim} need {needed}.", nameof(rows));
        rows = rows[..(int)needed];
        if (Overlaps(rows) || CallValidation.Overlap<float, float>(rows, TokenScales))
            throw new ArgumentException("Overlaps the pages or their scales.", nameof(rows));
        if (Overlaps(slots) || CallValidation.Overlap<TSlot, float>(slots, TokenScales))
            throw new ArgumentException("Overlaps the pages or their scales.", nameof(slots));
        for (int token = 0; token < slots.Length; token++)
        {
            long slot = SlotOf(slots, token);
            for (int head = 0; head < KeyValueHeads && slot >= 0; head++)
            {
                if (KeyValueQuantizer.WhyRefused(RowOf(rows, token, head), Element) is { } reason)
                    throw new ArgumentException($"A row cannot be kept as {Element}. Token {token}, head {head}: {reason}", nameof(rows));
            }
        }

        for (int token = 0; token < slots.Length; token++)
        {
            long slot = SlotOf(slots, token);
            if (slot < 0)
                continue;
            (long page, long place) = Math.DivRem(slot, PageSize);
            for (int head = 0; head < KeyValueHeads; head++)
            {
                Span<float> scale = HasTokenScales ? TokenScales.Slice((int)StartOf(ScaleStrides, page, head, place), 1) : default;
                ReadOnlySpan<float> channelScales = ChannelScales.IsEmpty ? default : ChannelScales.Slice(head * Dim, Dim);
                _ = KeyValueQuantizer.WriteRow(RowOf(rows, token, head), Element, BytesOf(StartOf(_strides, page, head, place)), scale, channelScales);
            }
        }
    }

    /// <summary>The slot of a token; negative for padding. It is checked whenever it is read: another thread may change it, and no write may leave the pages.</summary>
    private long SlotOf<TSlot>(ReadOnlySpan<TSlot> slots, int token)
        where TSlot : unmanaged, IBinaryInteger<TSlot>
    {
        long slot = long.CreateTruncating(slots[token]), count = (long)PageCount * PageSize;
        if (slot >= count)
            throw new ArgumentOutOfRangeException(nameof(slots), slot, $"Token {token} has a slot that does not exist: {PageCount} pages of {PageSize} tokens have 0 to {count - 1}; a negative one is padding.");
        return slot;
    }

    [SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the public method's parameter.")]
    private void CheckPage(int page, string name)
    {
        if (page < 0 || page >= PageCount)
            throw new ArgumentOutOfRangeException(name, page, $"Pages are 0 to {PageCount - 1}.");
    }

    private void ThrowIfDefault()
    {
        if (PageCount == 0)
            throw new InvalidOperationException("These pages are default: make them by a constructor.");
    }

    private static long StartOf(in AttentionStrides strides, long page, int head, long place) => page * strides.Batch + head * strides.Head + place * strides.Length;

    private ReadOnlySpan<float> RowOf(ReadOnlySpan<float> rows, int token, int head) => rows.Slice((token * KeyValueHeads + head) * Dim, Dim);

    /// <summary>The bytes of the row that begins at an element. All rows are in the buffer, which has been checked.</summary>
    private Span<byte> BytesOf(long start) =>
        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref _start, (nint)AttentionInput.BytesOf(Element, start)), (int)AttentionInput.BytesOf(Element, Dim));

    private ReadOnlySpan<T> ElementsAs<T>(int count)
        where T : unmanaged => MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<byte, T>(ref _start), count);

    /// <summary>Whether a buffer shares a byte with that of the elements.</summary>
    private bool Overlaps<T>(ReadOnlySpan<T> buffer)
        where T : unmanaged => CallValidation.Overlap(buffer, in _start, (nuint)AttentionInput.BytesOf(Element, _length));

    /// <summary>Checks that a buffer has all rows and that they do not overlap; returns their strides, and how many elements they reach.</summary>
    private (AttentionStrides Strides, int Length) CheckRows(int length, int dim, AttentionStrides? strides, string name, string strideName, string elements)
    {
        BufferRows rows = new() { ArePages = true, Batch = PageCount, Heads = KeyValueHeads, Tokens = PageSize, Dim = dim, Layout = AttentionLayout.BatchHeadLengthDim };
        if (strides is { } given)
        {
            if (given.Batch < 0 || given.Head < 0 || given.Length < 0)
                throw new ArgumentOutOfRangeException(strideName, given, "Strides must not be negative.");
            BufferValidation.CheckRowsApart(strideName, rows, given, "pages");
        }

        int reached = BufferValidation.CheckBuffer(name, length, rows, strides, out AttentionStrides found, elements);
        return (found, reached);
    }
}
