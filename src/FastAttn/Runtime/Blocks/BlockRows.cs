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

    /// <summary>The rows of one head of a sequence.</summary>
    /// <param name="buffer">Keys or values of all; null for none.</param>
    /// <param name="strides">Where its rows stand.</param>
    /// <param name="batch">The sequence.</param>
    /// <param name="head">The key-value head.</param>
    /// <param name="token">The token that the sequence begins with.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BlockRows Of(float* buffer, in AttentionStrides strides, long batch, long head, long token) =>
        buffer == null ? default : new(buffer + batch * strides.Batch + head * strides.Head + token * strides.Length, strides.Length);

    /// <summary>A row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(long index) => First + index * Stride;

    /// <summary>The rows from one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BlockRows From(long index) => new(Row(index), Stride);
}
