using System;

namespace FastAttn;

/// <summary>Lengths and strides of a tensor of up to four axes, as the library takes them: [batch, heads, length, dim], axes that it lacks being of length 1.</summary>
internal readonly record struct TensorView
{
    private const int MaxRank = 4;

    private TensorView(int rank, int batch, int heads, int length, int dim, AttentionStrides strides, int elements)
    {
        Rank = rank;
        Batch = batch;
        Heads = heads;
        Length = length;
        Dim = dim;
        Strides = strides;
        Elements = elements;
    }

    /// <summary>The number of axes that the tensor itself has.</summary>
    public int Rank { get; }

    /// <summary>Length of the fourth axis from the right.</summary>
    public int Batch { get; }

    /// <summary>Length of the third axis from the right.</summary>
    public int Heads { get; }

    /// <summary>Length of the second axis from the right.</summary>
    public int Length { get; }

    /// <summary>Length of the last axis, which is contiguous.</summary>
    public int Dim { get; }

    /// <summary>Where its rows stand. 0 for axes of length 1, and for all axes where the tensor is empty.</summary>
    public AttentionStrides Strides { get; }

    /// <summary>Elements from the first to the last of the tensor, those between its rows included.</summary>
    public int Elements { get; }

    /// <summary>Reads and checks the lengths and strides of a tensor.</summary>
    /// <param name="lengths">Its lengths.</param>
    /// <param name="strides">Its strides, of the same number.</param>
    /// <param name="name">The public method's parameter that it is.</param>
    /// <param name="minRank">The fewest axes that it may have.</param>
    /// <exception cref="ArgumentException">It has too few or too many axes, is too long for a span, or its last axis is not contiguous.</exception>
    public static TensorView Of(ReadOnlySpan<nint> lengths, ReadOnlySpan<nint> strides, string name, int minRank)
    {
        int rank = lengths.Length;
        if (rank < minRank || rank > MaxRank)
            throw new ArgumentException($"Has rank {rank}; it must be {minRank} to {MaxRank}.", name);
        Span<int> sizes = [1, 1, 1, 1];
        Span<long> steps = [0, 0, 0, 0];
        bool isEmpty = false;
        for (int axis = 0; axis < rank; axis++)
        {
            if (lengths[axis] > int.MaxValue)
                throw new ArgumentException($"Axis {axis} has length {lengths[axis]}; at most {int.MaxValue} is possible.", name);
            sizes[MaxRank - rank + axis] = (int)lengths[axis];
            steps[MaxRank - rank + axis] = strides[axis];
            isEmpty |= lengths[axis] == 0;
        }

        // No element is read of a tensor that has none, and what its strides are does not matter.
        if (isEmpty)
            return new(rank, sizes[0], sizes[1], sizes[2], sizes[3], default, 0);
        if (sizes[^1] > 1 && steps[^1] != 1)
            throw new ArgumentException($"The last axis has a stride of {steps[^1]}; it must be contiguous, with a stride of 1.", name);

        Int128 reach = 0;
        for (int axis = 0; axis < MaxRank; axis++)
        {
            if (sizes[axis] == 1)
                steps[axis] = 0;
            reach += (sizes[axis] - (Int128)1) * steps[axis];
        }

        if (reach >= int.MaxValue)
            throw new ArgumentException($"Spans {reach + 1} elements with what lies between its rows; a span can hold {int.MaxValue}.", name);
        return new(rank, sizes[0], sizes[1], sizes[2], sizes[3], new(steps[0], steps[1], steps[2]), (int)reach + 1);
    }
}
