using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Rows of keys or of values, whatever they consist of: where the first stands, and how far the next is from it.</summary>
/// <param name="first">The first row; null for none.</param>
/// <param name="stride">Bytes from row to row.</param>
internal readonly unsafe struct BlockRows(byte* first, long stride)
{
    /// <summary>The first row.</summary>
    public readonly byte* First = first;

    /// <summary>Bytes from row to row.</summary>
    public readonly long Stride = stride;

    /// <summary>Rows of floats.</summary>
    /// <param name="first">The first row.</param>
    /// <param name="stride">Floats from row to row.</param>
    public BlockRows(float* first, long stride)
        : this((byte*)first, stride * sizeof(float))
    {
    }

    /// <summary>The rows of one head of a sequence.</summary>
    /// <param name="buffer">Keys or values of all; null for none.</param>
    /// <param name="element">What they are.</param>
    /// <param name="strides">Where its rows stand.</param>
    /// <param name="batch">The sequence.</param>
    /// <param name="head">The key-value head.</param>
    /// <param name="token">The token that the sequence begins with.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BlockRows Of(byte* buffer, AttentionElement element, in AttentionStrides strides, long batch, long head, long token)
    {
        int bytes = AttentionInput.BytesOf(element);
        return buffer == null ? default : new(buffer + (batch * strides.Batch + head * strides.Head + token * strides.Length) * bytes, strides.Length * bytes);
    }

    /// <summary>A row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Row(long index) => First + index * Stride;

    /// <summary>A row of floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Floats(long index) => (float*)Row(index);

    /// <summary>An element of a row.</summary>
    public float At(long row, int column, AttentionElement element)
    {
        float number;
        StoredElements.Visit(element, new RowWidening<Lanes1>(Row(row) + column * AttentionInput.BytesOf(element), &number, columns: 1));
        return number;
    }

    /// <summary>The rows from one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BlockRows From(long index) => new(Row(index), Stride);
}
