using System;

namespace FastAttn;

/// <summary>
/// Memory for the keys and values of many sequences, in pages of a fixed number of tokens (vLLM, arXiv 2309.06180). Each <see cref="PagedSequence"/> has a list of
/// pages, some of which may be shared by several sequences, and a <see cref="PagedBatch"/> attends over sequences in place. Nothing is reserved for tokens that may
/// never come, and sequences that begin with the same tokens may share the memory of these.
/// </summary>
/// <remarks>
/// <para>
/// Keys are [pages, H_kv, page size, d_k] and values [pages, H_kv, page size, d_v], each in its own element type, in native arrays that are aligned to 64
/// bytes. They are allocated at once and never grow; most operating systems provide their memory when it is first written. A pool does not know layers: a model has a pool
/// for each layer, or one for all of them, with a sequence for each layer.
/// </para>
/// <para>
/// Integer types are quantized when tokens are appended, by <see cref="KeyValueQuantizer"/>. <see cref="AttentionElement.Int8"/> has a scale for each token and
/// head, [pages, H_kv, page size] floats, or one for each head and channel, which is given with the pool: those of a prompt
/// (<see cref="KeyValueQuantizer.FindChannelScales"/>) also serve the generated tokens, whose larger numbers are clipped. <see cref="AttentionElement.Int4"/> has scales and minima for 32 tokens,
/// [pages, H_kv, page size / 32, 2, d] halves, and each sequence keeps the floats of its last tokens (remarks of <see cref="AttentionCache"/>).
/// </para>
/// <para>
/// Pages of 96 tokens, or a multiple of 96, are best for long prompts: a kernel takes 96 keys in a step, and can read those of such pages in one piece.
/// Smaller pages leave less memory unused at the ends of sequences, half a page for each on average. Larger ones are best for long sequences: with one query per step,
/// pages whose rows of one head are 48 KiB or less (96 tokens of 128 floats) take up to 1.4 times as long to read from memory as contiguous rows. A plain
/// sum over memory in that order takes as long (measured on Zen 4). Pages with some 400 KiB per head (960 tokens of 128 floats) cost nothing.
/// </para>
/// <para>
/// Threads: a sequence is changed by one thread at a time, while no other reads it. There are no other rules: different sequences may be changed at once, even if they
/// share pages, and any number of threads may attend over sequences that no thread changes. No wait is ended by <see cref="System.Threading.Thread.Interrupt"/>.
/// </para>
/// </remarks>
public sealed class KeyValuePagePool : IDisposable
{
    private const int PageSizeUnit = 16;

    private readonly CachedRows _keys;
    private readonly CachedRows _values;
    private readonly PageMemory _memory;

    /// <summary>Allocates the pages, which are all free.</summary>
    /// <param name="pageCount">Pages, at least 1.</param>
    /// <param name="pageSize">Tokens in a page: a multiple of 16, at least 16, or of 32 with <see cref="AttentionElement.Int4"/>; 96 and its multiples are best for long prompts, large ones for long sequences (see the remarks).</param>
    /// <param name="keyValueHeads">Key-value heads H_kv, at least 1.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="ScaledDotProductAttention.MaxDim"/>; <paramref name="headDim"/> if null.</param>
    /// <param name="keyElement">
    /// The element type of keys. <see cref="AttentionElement.Int8Group32"/>, <see cref="AttentionElement.Int4Group32"/> and <see cref="AttentionElement.Int4"/> need a dimension that is a multiple of 32.
    /// </param>
    /// <param name="valueElement">The element type of values, likewise.</param>
    /// <param name="keyScales">
    /// [H_kv, d_k], copied: the scale of each head and channel of keys that are <see cref="AttentionElement.Int8"/>, finite and not negative. Empty if each token and
    /// head has its own scale, and for other types.
    /// </param>
    /// <param name="valueScales">[H_kv, d_v], likewise for values.</param>
    /// <exception cref="ArgumentException">
    /// A number is outside its range, a dimension is not a multiple of 32 where it must be, scales do not fit, or keys or values would be more than an attention takes: about 2³¹
    /// elements or, in groups, bytes.
    /// </exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public KeyValuePagePool(
        int pageCount,
        int pageSize,
        int keyValueHeads,
        int headDim,
        int? valueDim = null,
        AttentionElement keyElement = AttentionElement.Float32,
        AttentionElement valueElement = AttentionElement.Float32,
        ReadOnlySpan<float> keyScales = default,
        ReadOnlySpan<float> valueScales = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageCount, 1);
        if (pageSize < PageSizeUnit || pageSize % PageSizeUnit != 0)
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, $"The tokens of a page must be a multiple of {PageSizeUnit}, at least {PageSizeUnit}.");
        if ((keyElement == AttentionElement.Int4 || valueElement == AttentionElement.Int4) && pageSize % OpenGroup.Tokens != 0)
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, $"Int4, which rounds {OpenGroup.Tokens} tokens together, needs pages of a multiple of {OpenGroup.Tokens} tokens.");
        ArgumentOutOfRangeException.ThrowIfLessThan(keyValueHeads, 1);
        CachedRows.CheckDim(headDim, nameof(headDim));
        CachedRows.CheckDim(valueDim ?? headDim, nameof(valueDim));
        CachedRows.CheckElement(keyElement, headDim, nameof(keyElement), nameof(headDim));
        CachedRows.CheckElement(valueElement, valueDim ?? headDim, nameof(valueElement), valueDim is null ? nameof(headDim) : nameof(valueDim));
        CachedRows.CheckScales(keyScales, keyElement, keyValueHeads, headDim, nameof(keyScales));
        CachedRows.CheckScales(valueScales, valueElement, keyValueHeads, valueDim ?? headDim, nameof(valueScales));
        CheckSize(pageCount, pageSize, keyValueHeads, headDim, keyElement);
        CheckSize(pageCount, pageSize, keyValueHeads, valueDim ?? headDim, valueElement);
        PageCount = pageCount;
        PageSize = pageSize;
        KeyValueHeads = keyValueHeads;
        References = new(pageCount);
        _keys = new(keyElement, headDim, keyValueHeads, pageSize, pageCount, keyScales, start: 0);
        _values = new(valueElement, valueDim ?? headDim, keyValueHeads, pageSize, pageCount, valueScales, _keys.End);
        _memory = new(_values.End);
    }

    /// <summary>All pages, free or not.</summary>
    public int PageCount { get; }

    /// <summary>Tokens in a page.</summary>
    public int PageSize { get; }

    /// <summary>Key-value heads H_kv.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Head dimension d_k.</summary>
    public int HeadDim => _keys.Dim;

    /// <summary>Value dimension d_v.</summary>
    public int ValueDim => _values.Dim;

    /// <summary>The element type of keys.</summary>
    public AttentionElement KeyElement => _keys.Element;

    /// <summary>The element type of values.</summary>
    public AttentionElement ValueElement => _values.Element;

    /// <summary>Pages that no sequence has. Exact, but other threads may take or give back pages at any time.</summary>
    public int FreePages => References.Free;

    /// <summary>Which pages are taken, and how often.</summary>
    internal PageReferences References { get; }

    /// <summary>All keys, [pages, H_kv, page size, d_k], as an input whose batch axis is that of the pages. The caller holds the memory.</summary>
    internal AttentionInput Keys => _keys.Input(ref _memory.Start);

    /// <summary>All values, likewise.</summary>
    internal AttentionInput Values => _values.Input(ref _memory.Start);

    /// <summary>
    /// Frees the memory, once calls that use it are over. The pool's sequences are then unusable and throw an <see cref="ObjectDisposedException"/>.
    /// </summary>
    public void Dispose() => _memory.Dispose();

    /// <summary>Holds the memory while a call uses it. Whoever reads or writes rows must hold it.</summary>
    /// <exception cref="ObjectDisposedException">The pool has been disposed of.</exception>
    internal PageMemoryUse Use()
    {
        ThrowIfDisposed();
        return new(_memory);
    }

    /// <summary>As <see cref="Use"/>, until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">The pool has been disposed of.</exception>
    internal void Hold()
    {
        ThrowIfDisposed();
        bool isHeld = false;
        _memory.DangerousAddRef(ref isHeld);
    }

    /// <summary>Ends what <see cref="Hold"/> began.</summary>
    internal void Release() => _memory.DangerousRelease();

    /// <summary>Throws if the memory has been freed.</summary>
    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_memory.IsClosed, this);

    /// <summary>The floats of a sequence's open group of keys; null if tokens are rounded one by one.</summary>
    internal OpenGroup? CreateOpenKeys() => _keys.CreateOpenGroup();

    /// <summary>The floats of a sequence's open group of values, likewise.</summary>
    internal OpenGroup? CreateOpenValues() => _values.CreateOpenGroup();

    /// <summary>Rounds keys to the stored type, as <see cref="CachedRows.Write"/> does. The caller holds the memory.</summary>
    internal (int Token, string Reason)? WriteKeys(int page, int token, in NewRows keys, OpenGroup? open, int groupsAfter) => _keys.Write(ref _memory.Start, page, token, keys, open, groupsAfter);

    /// <summary>Rounds values, likewise. The caller holds the memory.</summary>
    internal (int Token, string Reason)? WriteValues(int page, int token, in NewRows values, OpenGroup? open, int groupsAfter) => _values.Write(ref _memory.Start, page, token, values, open, groupsAfter);

    /// <summary>Saves what is stored of the open groups before a token, or restores it (<see cref="CachedRows.CopyGroup"/>). The caller holds the memory.</summary>
    internal void CopyOpenGroups(int page, int token, OpenGroup? openKeys, OpenGroup? openValues, bool isBack)
    {
        if (openKeys is not null)
            _keys.CopyGroup(ref _memory.Start, page, token, openKeys.Stored, isBack);
        if (openValues is not null)
            _values.CopyGroup(ref _memory.Start, page, token, openValues.Stored, isBack);
    }

    /// <summary>Reads the keys of a token as floats, [H_kv, d_k]. The caller holds the memory.</summary>
    internal void ReadKeys(int page, int token, Span<float> keys) => _keys.ReadToken(ref _memory.Start, page, token, keys);

    /// <summary>Reads the values of a token as floats, [H_kv, d_v]. The caller holds the memory.</summary>
    internal void ReadValues(int page, int token, Span<float> values) => _values.ReadToken(ref _memory.Start, page, token, values);

    /// <summary>Copies the first tokens of a page to another. The caller holds the memory.</summary>
    internal void CopyPage(int from, int to, int tokens)
    {
        for (int head = 0; head < KeyValueHeads; head++)
        {
            _keys.Copy(ref _memory.Start, RowOf(from, head, 0), _keys, ref _memory.Start, RowOf(to, head, 0), tokens);
            _values.Copy(ref _memory.Start, RowOf(from, head, 0), _values, ref _memory.Start, RowOf(to, head, 0), tokens);
        }
    }

    private static void CheckSize(int pageCount, int pageSize, int heads, int dim, AttentionElement element)
    {
        Int128 rows = (Int128)pageCount * heads * pageSize;
        if (rows > CachedRows.MaxRows(element, dim))
            throw new ArgumentOutOfRangeException(nameof(pageCount), pageCount, $"Pages {pageCount} × key-value heads {heads} × page size {pageSize} are {rows} rows; of dimension {dim} as {element} a pool has {CachedRows.MaxRows(element, dim)} at most.");
    }

    /// <summary>The index of a row among all rows of the pool, the same for keys and for values.</summary>
    private long RowOf(int page, int head, int token) => _keys.RowOf(page, head, token);
}
