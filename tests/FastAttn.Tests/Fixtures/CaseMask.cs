using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Tests.Fixtures;

/// <summary>A mask of a <see cref="Case"/>.</summary>
/// <typeparam name="T">A float, a boolean or a byte of bits.</typeparam>
/// <param name="Elements">Its elements.</param>
/// <param name="Sizes">Its sizes; those that follow from the shape where null.</param>
/// <param name="Strides">Where its rows stand; contiguous where null.</param>
[SuppressMessage("Usage", "CA2225:Operator overloads have named alternates", Justification = "The constructor is one.")]
internal sealed record CaseMask<T>(T[] Elements, AttentionMaskSizes? Sizes = null, AttentionMaskStrides? Strides = null)
{
    public static implicit operator CaseMask<T>(T[] elements) => new(elements);

    /// <summary>The mask of one sequence of a batch alone, with fewer queries and keys; it repeats what it repeated.</summary>
    /// <param name="shape">The batch.</param>
    /// <param name="index">Which sequence.</param>
    /// <param name="queries">Its queries.</param>
    /// <param name="keys">Its keys.</param>
    public CaseMask<T> OfSequence(AttentionShape shape, int index, int queries, int keys)
    {
        AttentionMaskSizes sizes = Sizes ?? new(shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength);
        int unit = CaseMasks.ElementsOfItem<T>();
        long row = (sizes.KeyLength + unit - 1L) / unit * unit;
        AttentionMaskStrides strides = Strides ?? new(row * sizes.QueryLength * sizes.Heads, row * sizes.QueryLength, row);
        long start = sizes.Batch == 1 ? 0 : index * strides.Batch / unit;

        // A row of one query that is repeated would no longer be, were its axis that of the sequence's queries.
        return new(
            Elements[(int)Math.Min(start, Elements.Length)..],
            new AttentionMaskSizes(1, sizes.Heads, sizes.QueryLength == 1 ? 1 : queries, Math.Min(sizes.KeyLength, keys)),
            strides);
    }
}
