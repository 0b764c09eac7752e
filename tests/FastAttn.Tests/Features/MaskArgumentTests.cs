using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Masks whose elements, sizes or strides do not fit are refused by every method, before anything is written.</summary>
public static class MaskArgumentTests
{
    private const int Batch = 2, Heads = 4, Queries = 5, Keys = 7, Whole = Batch * Heads * Queries * Keys;

    private static readonly Case Plain = new(16, 16, AttentionMask.None, new(Batch, Heads, 2, Queries, Keys));

    [Fact]
    public static void Mask_shorter_than_its_sizes_and_strides_reach_is_refused()
    {
        foreach ((AttentionMaskSizes sizes, AttentionMaskStrides? strides, int elements) in ((AttentionMaskSizes, AttentionMaskStrides?, int)[])[
            (new(2, Heads, Queries, Keys), null, Whole), (new(1, Heads, 1, Keys), null, Heads * Keys), (new(1, 1, 1, Keys), null, Keys),
            (new(2, Heads, Queries, 2), new(100, 20, 3), 100 + 3 * 20 + 4 * 3 + 2), (new(1, 1, Queries, Keys), new(0, 0, 1), Queries - 1 + Keys)])
        {
            foreach (int wrong in (int[])[0, 1, elements - 1])
            {
                Refused(Plain with { AdditiveMask = new(new float[wrong], sizes, strides) });
                Refused(Plain with { BooleanMask = new(new bool[wrong], sizes, strides) });
            }

            foreach (int right in (int[])[elements, elements + 1, 2 * elements])
            {
                Accepted(Plain with { AdditiveMask = new(new float[right], sizes, strides) });
                Accepted(Plain with { BooleanMask = new(new bool[right], sizes, strides) });
            }
        }

        foreach (int wrong in (int[])[0, 1, 2 * Heads * Queries - 1])
            Refused(Plain with { BitMask = new(new byte[wrong], new(2, Heads, Queries, Keys)) });
        Accepted(Plain with { BitMask = new(new byte[2 * Heads * Queries + 3], new(2, Heads, Queries, Keys)) });

        // A row of 9 bits takes 2 bytes.
        Case nine = Plain with { Shape = Plain.Shape with { KeyLength = 9 } };
        Refused(nine with { BitMask = new(new byte[2 * Heads * Queries * 2 - 1], new(2, Heads, Queries, 9)) });
        Accepted(nine with { BitMask = new(new byte[2 * Heads * Queries * 2], new(2, Heads, Queries, 9)) });
    }

    [Fact]
    public static void Mask_without_sizes_has_the_elements_of_the_shape_or_of_one_head()
    {
        foreach (int right in (int[])[Whole, Whole / Heads])
        {
            Accepted(Plain with { AdditiveMask = new float[right] });
            Accepted(Plain with { BooleanMask = new bool[right] });
            Accepted(Plain with { BitMask = new byte[right / Keys] });
        }

        // Also a mask for all sequences or for each head, which others may be as long as, a mask of another batch, of fewer keys, and one that is longer than needed.
        foreach (int wrong in (int[])[0, 1, Keys, Batch * Keys, Queries * Keys, Whole / Batch, Queries * Keys - 1, Queries * Keys + 1, 3 * Queries * Keys, 3 * Heads * Queries * Keys, Whole - 1, Whole + 1, 2 * Whole])
        {
            Refused(Plain with { AdditiveMask = new float[wrong] });
            Refused(Plain with { BooleanMask = new bool[wrong] });
        }

        foreach (int wrong in (int[])[0, 1, Queries - 1, Queries, Heads * Queries, 3 * Queries, 2 * Heads * Queries - 1, 2 * Heads * Queries + 1])
            Refused(Plain with { BitMask = new byte[wrong] });
    }

    [Fact]
    public static void Mask_of_each_sequence_or_each_head_needs_sizes_where_there_are_as_many_of_both()
    {
        const int Both = 4, Elements = Both * Queries * Keys;
        Case square = Plain with { Shape = Plain.Shape with { Batch = Both } };
        Refused(square with { AdditiveMask = new float[Elements] }, "give its sizes");
        Refused(square with { BooleanMask = new bool[Elements] }, "give its sizes");
        Refused(square with { BitMask = new byte[Both * Queries] }, "give its sizes");
        foreach (AttentionMaskSizes sizes in (AttentionMaskSizes[])[new(Both, 1, Queries, Keys), new(1, Both, Queries, Keys)])
        {
            Accepted(square with { AdditiveMask = new(new float[Elements], sizes) });
            Accepted(square with { BooleanMask = new(new bool[Elements], sizes) });
            Accepted(square with { BitMask = new(new byte[Both * Queries], sizes) });
        }

        // That of the full size has another number of elements.
        Accepted(square with { AdditiveMask = new float[Both * Elements] });
    }

    [Fact]
    public static void Sizes_that_are_neither_the_shapes_nor_1_are_refused()
    {
        foreach (AttentionMaskSizes sizes in (AttentionMaskSizes[])[
            new(3, 1, 1, Keys), new(0, 1, 1, Keys), new(-1, 1, 1, Keys), new(1, 2, 1, Keys), new(1, Heads + 1, 1, Keys), new(1, 0, 1, Keys), new(1, 1, Queries - 1, Keys), new(1, 1, Queries + 1, Keys),
            new(1, 1, 0, Keys), new(1, 1, 1, -1), new(1, 1, 1, Keys + 1), new(1, 1, 1, int.MaxValue), new(int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue),
            new(int.MinValue, int.MinValue, int.MinValue, int.MinValue), default])
        {
            RefusedForEachMask(sizes, null);
        }
    }

    /// <summary>The product of such sizes is no number of 64 bits.</summary>
    [Fact]
    public static void Mask_of_huge_sizes_is_refused_where_the_shape_has_them()
    {
        Case huge = Plain with { Shape = new(2, int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue) };
        Arguments arguments = new(Plain.Kernel, Plain with { AdditiveMask = new(new float[100], new(2, int.MaxValue, int.MaxValue, int.MaxValue)) }) { Shape = huge.Shape };
        arguments.AreRefused<ArgumentException>("options");
        arguments = new(Plain.Kernel, Plain with { BitMask = new(new byte[100], new(2, int.MaxValue, int.MaxValue, int.MaxValue)) }) { Shape = huge.Shape };
        arguments.AreRefused<ArgumentException>("options");
        arguments = new(Plain.Kernel, Plain with { AdditiveMask = new float[100] }) { Shape = huge.Shape };
        arguments.AreRefused<ArgumentException>("options");
    }

    [Fact]
    public static void Mask_strides_that_are_negative_or_reach_past_any_memory_are_refused()
    {
        AttentionMaskSizes sizes = new(Batch, Heads, Queries, Keys);
        foreach (AttentionMaskStrides strides in (AttentionMaskStrides[])[
            new(-8, 0, 0), new(0, -8, 0), new(0, 0, -8), new(long.MinValue, 0, 0), new(long.MaxValue - 7, 0, 0), new(0, 1L << 62, 0), new(0, 0, long.MaxValue - 7), new(1L << 62, 1L << 62, 1L << 62),
            new(1L << 32, 0, 0)])
        {
            RefusedForEachMask(sizes, strides);
        }
    }

    [Fact]
    public static void Rows_of_a_bit_mask_within_a_byte_are_refused()
    {
        foreach (AttentionMaskStrides strides in (AttentionMaskStrides[])[new(7, 0, 0), new(0, 12, 0), new(0, 0, 1)])
            Refused(Plain with { BitMask = new(new byte[1000], new(Batch, Heads, Queries, Keys), strides) });
    }

    /// <summary>Bits reach further than bytes: a mask may have 2³⁴ of them.</summary>
    [Fact]
    public static void Bit_mask_that_its_strides_reach_past_is_refused() =>
        Refused(Plain with { BitMask = new(new byte[(1 << 28) + 1], new(Batch, 1, 1, 1), new(1L << 45, 0, 0)) });

    private static void RefusedForEachMask(AttentionMaskSizes sizes, AttentionMaskStrides? strides)
    {
        Refused(Plain with { AdditiveMask = new(new float[1000], sizes, strides) });
        Refused(Plain with { BooleanMask = new(new bool[1000], sizes, strides) });
        Refused(Plain with { BitMask = new(new byte[1000], sizes, strides) });
    }

    private static void Accepted(Case call) => new Arguments(call.Kernel, call).AreAccepted();

    private static void Refused(Case call, string message = "")
    {
        new Arguments(call.Kernel, call).AreRefused<ArgumentException>("options");
        Exception? exception = Record.Exception(() => call.Run(call.Kernel, Inputs.Zero(call)));
        Assert.Contains(message, exception!.Message, StringComparison.Ordinal);
    }
}
