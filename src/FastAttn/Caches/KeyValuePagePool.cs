using System;

namespace FastAttn;

/// <summary>
/// Memory for the keys and values of many sequences, in pages of a fixed number of tokens (vLLM, arXiv 2309.06180). Each <see cref="PagedSequence"/> has a list of
/// pages, of which several sequences may share some, and a <see cref="PagedBatch"/> attends over sequences where they lie. Nothing is reserved for tokens that may
/// never come, and sequences that begin alike need the memory of one.
/// </summary>
/// <remarks>
/// <para>
/// Keys are [pages, H_kv, page size, d_k] and values [pages, H_kv, page size, d_v], each in an element type of its own, in two native arrays that are aligned to 64
/// bytes. They are allocated at once and never grow; most operating systems give their memory when it is first written. A pool knows no layers: a model has a pool
/// for each layer, or one for all of them, with a sequence for each layer.
/// </para>
/// <para>
/// Pages of 96 tokens, or a multiple of 96, are best for long prompts: a kernel takes 96 keys in a step, and pages of that length let it read them in one piece.
/// Smaller pages leave less memory unused at the ends of sequences, half a page for each on average.
/// </para>
/// <para>
/// Threads: a sequence is changed by one thread at a time, and no other reads it meanwhile. That is all: different sequences may be changed at once, also such as
/// share pages, and any number of threads may attend over sequences that nobody changes. No wait is ended by <see cref="System.Threading.Thread.Interrupt"/>.
/// </para>
/// </remarks>
public sealed class KeyValuePagePool : IDisposable
{
    private const int PageSizeUnit = 16;

    private readonly PageMemory _memory;

    /// <summary>Allocates the pages, which are all free.</summary>
    /// <param name="pageCount">Pages, at least 1.</param>
    /// <param name="pageSize">Tokens in a page: a multiple of 16, at least 16; 96 and its multiples are best for long prompts.</param>
    /// <param name="keyValueHeads">Key-value heads H_kv, at least 1.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="keyElement">What keys are kept as: <see cref="AttentionElement.Float32"/>, <see cref="AttentionElement.Float16"/> or <see cref="AttentionElement.BFloat16"/>.</param>
    /// <param name="valueElement">What values are kept as, likewise.</param>
    /// <exception cref="ArgumentException">A number is outside its range, or keys or values would be more than 2³¹ − 1 elements.</exception>
    /// <exception cref="OutOfMemoryException">There is not as much memory.</exception>
    public KeyValuePagePool(
        int pageCount,
        int pageSize,
        int keyValueHeads,
        int headDim,
        int? valueDim = null,
        AttentionElement keyElement = AttentionElement.Float32,
        AttentionElement valueElement = AttentionElement.Float32)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageCount, 1);
        if (pageSize < PageSizeUnit || pageSize % PageSizeUnit != 0)
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, $"The tokens of a page must be a multiple of {PageSizeUnit}, at least {PageSizeUnit}.");
        ArgumentOutOfRangeException.ThrowIfLessThan(keyValueHeads, 1);
        CheckDim(headDim, nameof(headDim));
        CheckDim(valueDim ?? headDim, nameof(valueDim));
        CheckElement(keyElement, nameof(keyElement));
        CheckElement(valueElement, nameof(valueElement));
        PageCount = pageCount;
        PageSize = pageSize;
        KeyValueHeads = keyValueHeads;
        HeadDim = headDim;
        ValueDim = valueDim ?? headDim;
        KeyElement = keyElement;
        ValueElement = valueElement;
        Int128 rows = (Int128)pageCount * keyValueHeads * pageSize, elements = rows * Math.Max(HeadDim, ValueDim);
        if (elements > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(pageCount), pageCount, $"Pages {pageCount} × key-value heads {keyValueHeads} × page size {pageSize} × dimension {Math.Max(HeadDim, ValueDim)} are {elements} elements; a pool has {int.MaxValue} at most.");
        References = new(pageCount);
        _memory = new((long)rows * KeyBytes, (long)rows * ValueBytes);
    }

    /// <summary>All pages, free or not.</summary>
    public int PageCount { get; }

    /// <summary>Tokens in a page.</summary>
    public int PageSize { get; }

    /// <summary>Key-value heads H_kv.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Head dimension d_k.</summary>
    public int HeadDim { get; }

    /// <summary>Value dimension d_v.</summary>
    public int ValueDim { get; }

    /// <summary>What keys are kept as.</summary>
    public AttentionElement KeyElement { get; }

    /// <summary>What values are kept as.</summary>
    public AttentionElement ValueElement { get; }

    /// <summary>Pages that no sequence has. Exact; other threads may take or give back pages at any time.</summary>
    public int FreePages => References.Free;

    /// <summary>Which pages are taken, and how often.</summary>
    internal PageReferences References { get; }

    /// <summary>All keys: [pages, H_kv, page size, d_k], the pages where other inputs have sequences. The memory is held.</summary>
    internal unsafe AttentionInput Keys => Input(_memory.Keys, KeyElement, HeadDim);

    /// <summary>All values, likewise.</summary>
    internal unsafe AttentionInput Values => Input(_memory.Values, ValueElement, ValueDim);

    private int KeyBytes => (int)AttentionInput.BytesOf(KeyElement, HeadDim);

    private int ValueBytes => (int)AttentionInput.BytesOf(ValueElement, ValueDim);

    /// <summary>
    /// Frees the memory, once calls that use it are over. The pool's sequences are of no use then, and an <see cref="ObjectDisposedException"/> says so.
    /// </summary>
    public void Dispose() => _memory.Dispose();

    /// <summary>Holds the memory for a call, as whatever follows here needs it.</summary>
    /// <exception cref="ObjectDisposedException">The pool has been disposed of.</exception>
    internal PageMemoryUse Use()
    {
        ThrowIfDisposed();
        return new(_memory);
    }

    /// <summary>Throws where the memory has been freed.</summary>
    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_memory.IsClosed, this);

    /// <summary>The bytes of a key. The memory is held.</summary>
    internal unsafe Span<byte> KeyRow(int page, int head, int token) => Row(_memory.Keys, page, head, token, KeyBytes);

    /// <summary>The bytes of a value. The memory is held.</summary>
    internal unsafe Span<byte> ValueRow(int page, int head, int token) => Row(_memory.Values, page, head, token, ValueBytes);

    /// <summary>The number of a row among all, of keys as of values.</summary>
    internal long RowOf(int page, int head, int token) => ((long)page * KeyValueHeads + head) * PageSize + token;

    /// <summary>Copies the first tokens of a page to another. The memory is held.</summary>
    internal unsafe void CopyPage(int from, int to, int tokens)
    {
        for (int head = 0; head < KeyValueHeads; head++)
        {
            Copy(_memory.Keys, head, KeyBytes);
            Copy(_memory.Values, head, ValueBytes);
        }

        void Copy(byte* start, int head, int rowBytes)
        {
            // Both are rows 0 to tokens − 1 of one head in a page.
            long bytes = (long)tokens * rowBytes;
            Buffer.MemoryCopy(start + RowOf(from, head, 0) * rowBytes, start + RowOf(to, head, 0) * rowBytes, bytes, bytes);
        }
    }

    private static void CheckDim(int dim, string name)
    {
        if (dim is < 1 or > ScaledDotProductAttention.MaxDim)
            throw new ArgumentOutOfRangeException(name, dim, $"The dimension must be 1 to {ScaledDotProductAttention.MaxDim}.");
    }

    private static void CheckElement(AttentionElement element, string name)
    {
        if (element is not (AttentionElement.Float32 or AttentionElement.Float16 or AttentionElement.BFloat16))
            throw new ArgumentOutOfRangeException(name, element, "Pages are kept as Float32, Float16 or BFloat16.");
    }

    private unsafe Span<byte> Row(byte* start, int page, int head, int token, int rowBytes) => new(start + RowOf(page, head, token) * rowBytes, rowBytes);

    private unsafe AttentionInput Input(byte* start, AttentionElement element, int dim)
    {
        int elements = (int)(RowOf(PageCount, 0, 0) * dim);
        AttentionStrides strides = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, KeyValueHeads, PageSize, dim);
        return element switch
        {
            AttentionElement.Float32 => new(new ReadOnlySpan<float>(start, elements), strides),
            AttentionElement.Float16 => new(new ReadOnlySpan<Half>(start, elements), strides),
            _ => new(new ReadOnlySpan<BFloat16>(start, elements), strides),
        };
    }
}
