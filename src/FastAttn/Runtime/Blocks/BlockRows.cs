using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Rows of keys or of values at a constant stride, of any element type.</summary>
/// <param name="first">The first row.</param>
/// <param name="stride">Bytes from row to row.</param>
internal readonly unsafe struct BlockRows(byte* first, long stride)
{
    /// <summary>The first row.</summary>
    public readonly byte* First = first;

    /// <summary>Bytes from row to row.</summary>
    public readonly long Stride = stride;

    /// <summary>A row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Row(long index) => First + index * Stride;

    /// <summary>The rows from a given one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BlockRows From(long index) => new(Row(index), Stride);
}
