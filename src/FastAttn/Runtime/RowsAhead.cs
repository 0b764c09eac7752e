using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>
/// The rows some way ahead of those that are read, asked for line after line in the order in which they lie: so the CPU's
/// own prefetcher goes on where this one stops. Asked for row beside row, as four rows are read, one core gets three
/// quarters of the bandwidth.
/// </summary>
/// <remarks>Nothing is read, so it may run past the last row. Where the CPU has no instruction for it, nothing is done.</remarks>
internal unsafe struct RowsAhead
{
    private const int LineFloats = 16;

    /// <summary>How far ahead: 4 KiB. From 1 to 12 KiB one core gets as much (measured).</summary>
    private const int Distance = 1024;

    private readonly long _stride;
    private readonly int _columns;
    private float* _row;
    private int _column;

    /// <summary>Begins ahead of a row.</summary>
    /// <param name="row">The row that is read now.</param>
    /// <param name="stride">Floats from row to row.</param>
    /// <param name="columns">Floats in a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RowsAhead(float* row, long stride, int columns)
    {
        _stride = stride;
        _columns = columns;
        _row = row + Math.Max(1, Distance / columns) * stride;
    }

    /// <summary>Asks for the next floats.</summary>
    /// <param name="floats">How many; less than a line counts as a line.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ask(int floats)
    {
        if (!Sse.IsSupported)
            return;
        for (int i = 0; i < floats; i += LineFloats)
        {
            Sse.Prefetch0(_row + _column);
            _column += LineFloats;
            if (_column < _columns)
                continue;
            _column = 0;
            _row += _stride;
        }
    }
}
