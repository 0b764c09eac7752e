using System;
using System.Linq;

namespace FastAttn.Tensors.Tests.Fixtures;

/// <summary>Lengths of a tensor, and strides at which it stands in a buffer.</summary>
internal sealed record Placement(nint[] Lengths, nint[] Strides)
{
    public int Rank => Lengths.Length;

    /// <summary>The elements of the tensor.</summary>
    public int Count => (int)Lengths.Aggregate((nint)1, static (product, length) => product * length);

    /// <summary>Elements from its first to its last, those between its rows included.</summary>
    public int Reach => Count == 0 ? 0 : (int)Lengths.Zip(Strides, static (length, stride) => (length - 1) * stride).Aggregate((nint)1, static (sum, part) => sum + part);

    public static Placement Contiguous(params nint[] lengths) => Of(lengths, [.. Enumerable.Range(0, lengths.Length)], static () => 0, static _ => false);

    /// <summary>Any order of the axes but the last, gaps after any, and for inputs axes that repeat.</summary>
    public static Placement Draw(Random random, nint[] lengths, bool mayRepeat)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Length - 1)];
        random.Shuffle(order);
        return Of(lengths, [.. order, lengths.Length - 1], () => random.Next(3) == 0 ? random.Next(1, 4) : 0, _ => mayRepeat && random.Next(6) == 0);
    }

    /// <summary>The place of an element, counted in the order of the axes, within the buffer.</summary>
    public int PlaceOf(int element)
    {
        nint place = 0, rest = element;
        for (int axis = Rank - 1; axis >= 0; axis--)
        {
            place += rest % Lengths[axis] * Strides[axis];
            rest /= Lengths[axis];
        }

        return (int)place;
    }

    /// <param name="lengths">The lengths.</param>
    /// <param name="order">The axes, that of the largest stride first.</param>
    /// <param name="gap">Elements that are left out after a step along an axis.</param>
    /// <param name="repeats">Whether an axis repeats.</param>
    private static Placement Of(nint[] lengths, int[] order, Func<int> gap, Func<int, bool> repeats)
    {
        var strides = new nint[lengths.Length];
        nint step = 1;
        for (int i = order.Length - 1; i >= 0; i--)
        {
            int axis = order[i];

            // Tensors want a stride of 0 where there is nowhere to step to.
            bool isStill = lengths[axis] == 1 || (axis != lengths.Length - 1 && repeats(axis));
            strides[axis] = isStill ? 0 : step;
            if (!isStill)
                step = step * lengths[axis] + gap();
        }

        return new(lengths, strides);
    }
}
