using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Rows of keys or of values: where the first stands, and how far the next is from it.</summary>
/// <param name="first">The first row; null for none.</param>
/// <param name="stride">Floats from row to row.</param>
internal readonly unsafe struct BlockRows(float* first, long stride)
{
    /// <summary>The first row.</summary>
    public readonly float* First = first;

    /// <summary>Floats from row to row.</summary>
    public readonly long Stride = stride;

    /// <summary>A row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(long index) => First + index * Stride;

    /// <summary>The rows from one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BlockRows From(long index) => new(Row(index), Stride);
}
