using System;
using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>
/// Prefetches memory that will be needed next, a few lines at a time while a register tile computes: the tile is bound by arithmetic, so
/// the memory is idle. If all lines were requested at once, the tile would wait for them.
/// Not meant to be called by users.
/// </summary>
/// <remarks>Nothing is read. If the CPU has no instruction for it, nothing is done.</remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
[SuppressMessage("Performance", "CA1815:Override equals and operator equals on value types", Justification = "A cursor, never compared.")]
public unsafe struct Prefetcher
{
    /// <summary>Floats in a cache line.</summary>
    internal const int LineFloats = LineBytes / sizeof(float);

    private const int LineBytes = 64, MaxBlocks = 3;

    private Blocks _blocks;
    private int _count;
    private int _next;
    private byte* _line;
    private byte* _rowEnd;
    private long _lines;
    private long _linesInStep;
    private readonly bool _isOn;

    /// <summary>Makes one that does nothing if it is off.</summary>
    /// <param name="isOn">Whether prefetching is worth the time.</param>
    internal Prefetcher(bool isOn) => _isOn = isOn && Sse.IsSupported;

    /// <summary>Prefetches one line.</summary>
    /// <param name="line">A float in it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void AskForLine(ref float line)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(Unsafe.AsPointer(ref line));
    }

    /// <summary>Prefetches the next lines.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next()
    {
        if (_next < _count)
            Step();
    }

    /// <summary>Forgets what was added.</summary>
    internal void Clear()
    {
        _count = _next = 0;
        _lines = _linesInStep = 0;
    }

    /// <summary>Adds rows of any type, at most <see cref="MaxBlocks"/> times.</summary>
    /// <param name="source">The first row.</param>
    /// <param name="stride">Bytes from row to row.</param>
    /// <param name="length">Bytes in a row.</param>
    /// <param name="rows">Rows.</param>
    internal void AddBytes(byte* source, long stride, long length, int rows)
    {
        if (!_isOn || rows <= 0)
            return;
        if (stride == length || stride == 0)
            (length, rows) = (Math.Max(length, stride * rows), 1);
        _lines += rows * ((source + length - LineOf(source) + LineBytes - 1) / LineBytes);
        _blocks[_count++] = new Block { Source = source, Stride = stride, Length = length, Rows = rows };
        if (_count == 1)
            BeginRow();
    }

    /// <summary>Divides what was added among the steps to come.</summary>
    /// <param name="steps">Calls of <see cref="Next"/>, at least 1.</param>
    internal void Spread(int steps) => _linesInStep = (_lines + steps - 1) / steps;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* LineOf(byte* source) => (byte*)((nint)source & -LineBytes);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Step()
    {
        for (long lines = _linesInStep; lines > 0 && _next < _count;)
        {
            byte* line = _line, end = _rowEnd;
            for (; line < end && lines > 0; line += LineBytes, lines--)
                Sse.Prefetch1(line);
            _line = line;
            if (line >= end)
                EndRow();
        }
    }

    private void BeginRow()
    {
        ref Block block = ref _blocks[_next];
        _line = LineOf(block.Source);
        _rowEnd = block.Source + block.Length;
    }

    private void EndRow()
    {
        ref Block block = ref _blocks[_next];
        block.Source += block.Stride;
        if (--block.Rows == 0 && ++_next == _count)
            return;
        BeginRow();
    }

    private struct Block
    {
        public byte* Source;
        public long Stride;
        public long Length;
        public int Rows;
    }

    [InlineArray(MaxBlocks)]
    private struct Blocks
    {
        private Block _first;
    }
}
