using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The keys or the values of a cache, [pages, H_kv, page size, d]: what a row is kept as, and where in the cache's memory. A row is the key or value of one token and head;
/// rows are numbered in the order of these axes. Where a cache has no pages, each sequence is one. Memory is given by its first byte, and held by whoever calls.
/// </summary>
internal sealed class CachedRows
{
    /// <summary>What the first byte of rows and of scales is a multiple of, counted from that of the memory.</summary>
    public const int Alignment = 64;

    private readonly int _heads;
    private readonly int _pageSize;
    private readonly int _rowBytes;
    private readonly long _rows;
    private readonly float[] _channelScales;

    // Bytes from the first one of the memory on.
    private readonly long _start;
    private readonly long _scaleStart;

    /// <summary>Places the rows and, where each has a scale of its own, [pages, H_kv, page size] floats after them.</summary>
    /// <param name="element">What elements are kept as.</param>
    /// <param name="dim">d: elements in a row, a multiple of 32 where they are in groups.</param>
    /// <param name="heads">H_kv.</param>
    /// <param name="pageSize">Tokens in a page.</param>
    /// <param name="pageCount">Pages.</param>
    /// <param name="channelScales">[H_kv, d], copied: the scales of 8-bit integers; empty where each row has its own.</param>
    /// <param name="start">The first byte that is free in the memory.</param>
    public CachedRows(AttentionElement element, int dim, int heads, int pageSize, int pageCount, ReadOnlySpan<float> channelScales, long start)
    {
        (Element, Dim, _heads, _pageSize, _channelScales) = (element, dim, heads, pageSize, channelScales.ToArray());
        _rows = (long)pageCount * heads * pageSize;
        _rowBytes = (int)AttentionInput.BytesOf(element, dim);
        _start = Align(start);
        _scaleStart = Align(_start + _rows * _rowBytes);
        End = HasRowScales ? _scaleStart + _rows * sizeof(float) : _start + _rows * _rowBytes;

        static long Align(long offset) => (offset + Alignment - 1) / Alignment * Alignment;
    }

    /// <summary>What elements are kept as.</summary>
    public AttentionElement Element { get; }

    /// <summary>d: elements in a row.</summary>
    public int Dim { get; }

    /// <summary>[H_kv, d]: the scales that 8-bit integers were given; empty where each row has its own.</summary>
    public ReadOnlySpan<float> GivenScales => _channelScales;

    /// <summary>The first byte after the rows and their scales.</summary>
    public long End { get; }

    private bool HasRowScales => Element == AttentionElement.Int8 && _channelScales.Length == 0;

    /// <summary>Refuses a type that rows of a dimension cannot be kept in.</summary>
    /// <param name="element">The type.</param>
    /// <param name="dim">d.</param>
    /// <param name="name">The parameter that has the type.</param>
    /// <param name="dimName">The parameter that has the dimension.</param>
    public static void CheckElement(AttentionElement element, int dim, string name, string dimName)
    {
        if (!Enum.IsDefined(element))
            throw new ArgumentOutOfRangeException(name, element, "The element type is not one that keys and values are kept in.");
        if (element == AttentionElement.Int4)
            throw new ArgumentOutOfRangeException(name, element, "Caches keep no Int4, whose scales change until they are of 32 tokens: take Int4Group32, or buffers of your own and KeyValueQuantizer.");
        if (AttentionInput.IsInGroups(element) && dim % AttentionInput.GroupLength != 0)
            throw new ArgumentOutOfRangeException(dimName, dim, $"Elements in groups of {AttentionInput.GroupLength} need a dimension that is a multiple of it.");
    }

    /// <summary>Refuses a dimension that no kernel has.</summary>
    /// <param name="dim">The dimension.</param>
    /// <param name="name">The parameter that has it.</param>
    public static void CheckDim(int dim, string name)
    {
        if (dim is < 1 or > ScaledDotProductAttention.MaxDim)
            throw new ArgumentOutOfRangeException(name, dim, $"The dimension must be 1 to {ScaledDotProductAttention.MaxDim}.");
    }

    /// <summary>Refuses scales of channels that do not fit.</summary>
    /// <param name="scales">The scales; none where empty.</param>
    /// <param name="element">What is kept.</param>
    /// <param name="heads">H_kv.</param>
    /// <param name="dim">d.</param>
    /// <param name="name">The parameter that has the scales.</param>
    public static void CheckScales(ReadOnlySpan<float> scales, AttentionElement element, int heads, int dim, string name)
    {
        if (scales.IsEmpty)
            return;
        if (element != AttentionElement.Int8)
            throw new ArgumentException($"Scales are of {nameof(AttentionElement.Int8)}, not of {element}.", name);
        if (scales.Length != (long)heads * dim)
            throw new ArgumentException($"Has {scales.Length} elements; key-value heads {heads} × dimension {dim} need {(long)heads * dim}.", name);
        KeyValueQuantizer.CheckScales(scales, name);
    }

    /// <summary>
    /// How many rows a cache has at most: an attention counts their elements, and a span of groups their bytes, in an <see cref="int"/>, and an array of floats holds all of them with a
    /// scale for each row.
    /// </summary>
    /// <param name="element">What elements are kept as.</param>
    /// <param name="dim">d.</param>
    public static long MaxRows(AttentionElement element, int dim)
    {
        // Rows of one byte take less memory than their scales.
        long unitsOfRow = AttentionInput.IsInGroups(element) ? AttentionInput.BytesOf(element, dim) : Math.Max(dim, element == AttentionElement.Int8 ? 2 : 1);
        return Math.Min(Array.MaxLength / unitsOfRow, int.MaxValue / dim);
    }

    /// <summary>All rows, the pages where other inputs have sequences.</summary>
    public AttentionInput Input(ref byte memory)
    {
        ref byte start = ref At(ref memory, _start);
        int elements = (int)(_rows * Dim);
        AttentionStrides strides = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _pageSize, Dim);
        return Element switch
        {
            AttentionElement.Float32 => new(Numbers<float>(ref start, elements), strides),
            AttentionElement.Float16 => new(Numbers<Half>(ref start, elements), strides),
            AttentionElement.BFloat16 => new(Numbers<BFloat16>(ref start, elements), strides),
            AttentionElement.Int8 => new(Numbers<sbyte>(ref start, elements), Scales(ref memory), strides),
            _ => AttentionInput.OfGroups(Numbers<byte>(ref start, (int)(_rows * _rowBytes)), Element, strides),
        };
    }

    /// <summary>The error of a key or value that cannot be kept. Its inner exception tells it from those of sizes.</summary>
    /// <param name="row">What it is: "key" or "value".</param>
    /// <param name="element">What it should have been kept as.</param>
    /// <param name="reason">Which one it is and why, from <see cref="Write"/>.</param>
    /// <param name="name">The parameter that it comes from.</param>
    public static ArgumentException Refusal(string row, AttentionElement element, string reason, string name) =>
        new($"A {row} cannot be kept as {element}. {reason}", name, new ArithmeticException(reason));

    /// <summary>
    /// Rounds the rows of a token to what is kept, as <see cref="KeyValueQuantizer"/> does. All that is appended passes here, and each number is checked here once. Any number of threads may
    /// each write tokens of their own.
    /// </summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="page">The page.</param>
    /// <param name="token">The token's number in the page.</param>
    /// <param name="numbers">[H_kv, d].</param>
    /// <param name="rotary">Turns the rows before they are rounded; what is given is not written. Null where they stay as they are.</param>
    /// <param name="turn">What the embedding has for the token's position.</param>
    /// <returns>The head whose numbers cannot be kept, and why; then what has been written of the token is of no use. Null where all is written.</returns>
    public string? Write(ref byte memory, int page, int token, ReadOnlySpan<float> numbers, RotaryEmbedding? rotary, ReadOnlySpan<float> turn)
    {
        Span<float> turned = stackalloc float[rotary is null ? 0 : Dim];
        for (int head = 0; head < _heads; head++)
        {
            scoped ReadOnlySpan<float> row = numbers.Slice(head * Dim, Dim);
            if (rotary is not null)
            {
                row.CopyTo(turned);
                rotary.Turn(turned, Dim, turn);
                row = turned;
            }

            if (WriteRow(ref memory, RowOf(page, head, token), head, row) is { } reason)
                return $"head {head}{(rotary is null ? "" : ", as it is turned")}: {reason}";
        }

        return null;
    }

    /// <summary>The number of a row.</summary>
    /// <param name="page">The page.</param>
    /// <param name="head">The head.</param>
    /// <param name="token">The token's number in the page.</param>
    public long RowOf(int page, int head, int token) => ((long)page * _heads + head) * _pageSize + token;

    /// <summary>Gives a row as floats.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="row">The row's number.</param>
    /// <param name="head">Its head.</param>
    /// <param name="numbers">[d], written.</param>
    public void Read(ref byte memory, long row, int head, Span<float> numbers)
    {
        Input(ref memory).Row(row * Dim, numbers).CopyTo(numbers);
        if (Element != AttentionElement.Int8)
            return;
        ReadOnlySpan<float> scales = HasRowScales ? RowScales(ref memory, row, 1) : ChannelScales(head);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] *= scales[HasRowScales ? 0 : i];
    }

    /// <summary>Copies rows that follow each other, with their scales.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="from">The first row's number.</param>
    /// <param name="destination">Where rows of the same type and dimension are written to.</param>
    /// <param name="destinationMemory">The first byte of its memory.</param>
    /// <param name="to">The number there of the first row that is written.</param>
    /// <param name="count">How many.</param>
    public void Copy(ref byte memory, long from, CachedRows destination, ref byte destinationMemory, long to, int count)
    {
        for (int done = 0, step; done < count; done += step)
        {
            step = StepOf(count - done);
            Rows(ref memory, from + done, step).CopyTo(destination.Rows(ref destinationMemory, to + done, step));
        }

        if (HasRowScales)
            RowScales(ref memory, from, count).CopyTo(destination.RowScales(ref destinationMemory, to, count));
    }

    /// <summary>Exchanges rows that follow each other for others, with their scales.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="one">The first row's number.</param>
    /// <param name="other">The first one's of the others.</param>
    /// <param name="count">How many of each.</param>
    public void Swap(ref byte memory, long one, long other, int count)
    {
        for (int i = 0; i < count; i++)
            Swap(Rows(ref memory, one + i, 1), Rows(ref memory, other + i, 1));
        if (HasRowScales)
            Swap(MemoryMarshal.AsBytes(RowScales(ref memory, one, count)), MemoryMarshal.AsBytes(RowScales(ref memory, other, count)));
    }

    private static void Swap(Span<byte> one, Span<byte> other)
    {
        Span<byte> buffer = stackalloc byte[1024];
        for (int first = 0; first < one.Length; first += buffer.Length)
        {
            int count = Math.Min(buffer.Length, one.Length - first);
            one.Slice(first, count).CopyTo(buffer);
            other.Slice(first, count).CopyTo(one[first..]);
            buffer[..count].CopyTo(other[first..]);
        }
    }

    /// <summary>Rounds a row; returns why it is refused.</summary>
    private string? WriteRow(ref byte memory, long row, int head, ReadOnlySpan<float> numbers)
    {
        Span<float> scale = HasRowScales ? RowScales(ref memory, row, 1) : default;
        ReadOnlySpan<float> channelScales = _channelScales.Length == 0 ? default : ChannelScales(head);
        return KeyValueQuantizer.WriteRow(numbers, Element, Rows(ref memory, row, 1), scale, channelScales);
    }

    private static ref byte At(ref byte memory, long offset) => ref Unsafe.Add(ref memory, (nint)offset);

    private static Span<T> Numbers<T>(ref byte start, int count)
        where T : unmanaged => MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref start), count);

    /// <summary>How many rows a span of bytes holds, at most so many.</summary>
    private int StepOf(int rows) => Math.Min(rows, int.MaxValue / _rowBytes);

    /// <summary>The bytes of rows that exist and that a span holds.</summary>
    private Span<byte> Rows(ref byte memory, long row, int count) => Numbers<byte>(ref At(ref memory, _start + row * _rowBytes), count * _rowBytes);

    private AttentionScales Scales(ref byte memory) => HasRowScales
        ? AttentionScales.PerToken(RowScales(ref memory, 0, (int)_rows), AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _pageSize, dim: 1))
        : AttentionScales.PerChannel(_channelScales);

    private Span<float> RowScales(ref byte memory, long row, int count) => Numbers<float>(ref At(ref memory, _scaleStart + row * sizeof(float)), count);

    private ReadOnlySpan<float> ChannelScales(int head) => _channelScales.AsSpan(head * Dim, Dim);
}
