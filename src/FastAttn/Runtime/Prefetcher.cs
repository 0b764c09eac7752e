using System;
using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>
/// Memory that will be needed next, asked for a few lines at a time while a register tile computes: arithmetic is what
/// the tiles wait for, so the memory is idle. Asked for all at once it would only be waited for earlier.
/// Not meant to be called by users.
/// </summary>
/// <remarks>Nothing is read. Where the CPU has no instruction for it, nothing is done.</remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
[SuppressMessage("Performance", "CA1815:Override equals and operator equals on value types", Justification = "A cursor, never compared.")]
public unsafe struct Prefetcher
{
    /// <summary>Floats in a cache line.</summary>
    internal const int LineFloats = 16;

    private const int MaxBlocks = 3;

    private Blocks _blocks;
    private int _count;
    private int _next;
    private int _lines;
    private int _linesInStep;
    private readonly bool _isOn;

    /// <summary>Makes one that asks for nothing where it is off.</summary>
    /// <param name="isOn">Whether asking is worth the time.</param>
    internal Prefetcher(bool isOn) => _isOn = isOn && Sse.IsSupported;

    /// <summary>Asks for one line.</summary>
    /// <param name="line">A float in it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void AskForLine(ref float line)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(Unsafe.AsPointer(ref line));
    }

    /// <summary>Asks for the next lines.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next()
    {
        if (_next < _count)
            Step();
    }

    /// <summary>Forgets what was added.</summary>
    internal void Clear() => _count = _next = _lines = _linesInStep = 0;

    /// <summary>Adds rows, at most <see cref="MaxBlocks"/> times.</summary>
    /// <param name="source">The first row.</param>
    /// <param name="stride">Floats from row to row.</param>
    /// <param name="columns">Floats in a row.</param>
    /// <param name="rows">Rows.</param>
    internal void Add(float* source, long stride, int columns, int rows)
    {
        if (!_isOn || rows <= 0)
            return;
        _blocks[_count++] = new Block { Source = source, Stride = stride, Columns = columns, Rows = rows };
        _lines += rows * ((columns + LineFloats - 1) / LineFloats);
    }

    /// <summary>Divides what was added by the steps to come.</summary>
    /// <param name="steps">Calls of <see cref="Next"/>, at least 1.</param>
    internal void Spread(int steps) => _linesInStep = (_lines + steps - 1) / steps;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Step()
    {
        for (int lines = _linesInStep; lines > 0 && _next < _count;)
        {
            ref Block block = ref _blocks[_next];
            for (int c = 0; c < block.Columns; c += LineFloats, lines--)
                Sse.Prefetch1(block.Source + c);
            block.Source += block.Stride;
            if (--block.Rows == 0)
                _next++;
        }
    }

    private struct Block
    {
        public float* Source;
        public long Stride;
        public int Columns;
        public int Rows;
    }

    [InlineArray(MaxBlocks)]
    private struct Blocks
    {
        private Block _first;
    }
}
