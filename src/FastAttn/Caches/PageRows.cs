using System;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The keys or the values of all pages, [pages, H_kv, page size, d]: what a row is kept as, and where. A row is the key or value of one token and head; rows are
/// numbered in the order of these axes. The memory is held by whoever calls.
/// </summary>
internal sealed unsafe class PageRows
{
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
    public PageRows(AttentionElement element, int dim, int heads, int pageSize, int pageCount, ReadOnlySpan<float> channelScales, long start)
    {
        (Element, Dim, _heads, _pageSize, _channelScales) = (element, dim, heads, pageSize, channelScales.ToArray());
        _rows = (long)pageCount * heads * pageSize;
        _rowBytes = (int)AttentionInput.BytesOf(element, dim);
        _start = Align(start);
        _scaleStart = Align(_start + _rows * _rowBytes);
        End = HasRowScales ? _scaleStart + _rows * sizeof(float) : _scaleStart;

        static long Align(long offset) => (offset + PageMemory.Alignment - 1) / PageMemory.Alignment * PageMemory.Alignment;
    }

    /// <summary>What elements are kept as.</summary>
    public AttentionElement Element { get; }

    /// <summary>d: elements in a row.</summary>
    public int Dim { get; }

    /// <summary>The first byte after the rows and their scales.</summary>
    public long End { get; }

    private bool HasRowScales => Element == AttentionElement.Int8 && _channelScales.Length == 0;

    /// <summary>All rows, the pages where other inputs have sequences.</summary>
    public AttentionInput Input(PageMemory memory)
    {
        void* start = memory.Start + _start;
        int elements = (int)(_rows * Dim);
        AttentionStrides strides = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _pageSize, Dim);
        return Element switch
        {
            AttentionElement.Float32 => new(new ReadOnlySpan<float>(start, elements), strides),
            AttentionElement.Float16 => new(new ReadOnlySpan<Half>(start, elements), strides),
            AttentionElement.BFloat16 => new(new ReadOnlySpan<BFloat16>(start, elements), strides),
            AttentionElement.Int8 => new(new ReadOnlySpan<sbyte>(start, elements), Scales(memory), strides),
            _ => AttentionInput.OfGroups(new ReadOnlySpan<byte>(start, (int)(_rows * _rowBytes)), Element, strides),
        };
    }

    /// <summary>Rounds a row of floats to what is kept, as <see cref="KeyValueQuantizer"/> does. All that is appended passes here.</summary>
    /// <param name="memory">The memory.</param>
    /// <param name="row">The row's number.</param>
    /// <param name="head">Its head.</param>
    /// <param name="numbers">[d], of which <see cref="KeyValueQuantizer.WhyRefused"/> has nothing to say.</param>
    public void Write(PageMemory memory, long row, int head, ReadOnlySpan<float> numbers)
    {
        var bytes = new Span<byte>(memory.Start + _start + row * _rowBytes, _rowBytes);
        switch (Element)
        {
            case AttentionElement.Float32:
                numbers.CopyTo(MemoryMarshal.Cast<byte, float>(bytes));
                break;
            case AttentionElement.Float16:
                KeyValueQuantizer.ConvertToHalf(numbers, MemoryMarshal.Cast<byte, Half>(bytes));
                break;
            case AttentionElement.BFloat16:
                KeyValueQuantizer.ConvertToBFloat16(numbers, MemoryMarshal.Cast<byte, BFloat16>(bytes));
                break;
            case AttentionElement.Int8 when HasRowScales:
                KeyValueQuantizer.QuantizePerToken(numbers, Dim, MemoryMarshal.Cast<byte, sbyte>(bytes), RowScales(memory, row, 1));
                break;
            case AttentionElement.Int8:
                KeyValueQuantizer.QuantizePerChannel(numbers, ChannelScales(head), MemoryMarshal.Cast<byte, sbyte>(bytes));
                break;
            default:
                KeyValueQuantizer.QuantizeGroups(numbers, Element, bytes);
                break;
        }
    }

    /// <summary>Gives a row as floats.</summary>
    /// <param name="memory">The memory.</param>
    /// <param name="row">The row's number.</param>
    /// <param name="head">Its head.</param>
    /// <param name="numbers">[d], written.</param>
    public void Read(PageMemory memory, long row, int head, Span<float> numbers)
    {
        Input(memory).Row(row * Dim, numbers).CopyTo(numbers);
        if (Element != AttentionElement.Int8)
            return;
        ReadOnlySpan<float> scales = HasRowScales ? RowScales(memory, row, 1) : ChannelScales(head);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] *= scales[HasRowScales ? 0 : i];
    }

    /// <summary>Copies rows that follow each other, with their scales.</summary>
    /// <param name="memory">The memory.</param>
    /// <param name="from">The first row's number.</param>
    /// <param name="to">The number of the first row that is written; no row is both.</param>
    /// <param name="count">How many.</param>
    public void Copy(PageMemory memory, long from, long to, int count)
    {
        byte* start = memory.Start + _start;
        long bytes = (long)count * _rowBytes;
        Buffer.MemoryCopy(start + from * _rowBytes, start + to * _rowBytes, bytes, bytes);
        if (HasRowScales)
            RowScales(memory, from, count).CopyTo(RowScales(memory, to, count));
    }

    private AttentionScales Scales(PageMemory memory) => HasRowScales
        ? AttentionScales.PerToken(RowScales(memory, 0, (int)_rows), AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _pageSize, dim: 1))
        : AttentionScales.PerChannel(_channelScales);

    private Span<float> RowScales(PageMemory memory, long row, int count) => new((float*)(memory.Start + _scaleStart) + row, count);

    private ReadOnlySpan<float> ChannelScales(int head) => _channelScales.AsSpan(head * Dim, Dim);
}
