using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Checks that the buffers of a call have the rows that its shape says, and finds where these are.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal static class BufferValidation
{
    /// <summary>Checks keys or values; sets their type, and the range of their elements that is read.</summary>
    public static void CheckStored(string name, in AttentionInput input, scoped in BufferRows rows, in AttentionOptions options, scoped ref CallOperands.Stored stored, out ReadBuffer read)
    {
        bool areOver32Tokens = input.Element == AttentionElement.Int4;
        if (areOver32Tokens)
            CheckScaledTokens(name, options);
        stored.Element = input.Element;
        CheckInput(name, input, rows, out stored.Strides, out read);
        if (!AttentionInput.HasScales(input.Element))
            return;
        int scales = areOver32Tokens ? CheckScalesOver32Tokens(name, input, rows, ref stored) : CheckScales(name, input, rows, ref stored);
        read = new(in read.Start, read.Length, in input.Scales.Start, (nuint)scales * (areOver32Tokens ? sizeof(ushort) : (nuint)sizeof(float)));
    }

    /// <summary>Checks the scales of keys or values; sets their strides, and returns how many are read.</summary>
    private static int CheckScales(string name, in AttentionInput input, scoped in BufferRows rows, ref CallOperands.Stored stored)
    {
        AttentionScales scales = input.Scales;
        if (scales.AreOver32Tokens)
            throw new ArgumentException("Has 8-bit elements with scales over 32 tokens, which are those of 4-bit elements: give AttentionScales.PerToken or PerChannel.", name);
        stored.HasChannelScales = scales.ArePerChannel;
        if (!scales.ArePerChannel)
        {
            // Integers with room for more tokens usually have scales with the same room, which the shape does not say.
            if (input.Strides is not null && scales.Strides is null && !scales.Scales.IsEmpty)
                throw new ArgumentException("Has strides for elements and none for their scales per token: give AttentionScales.PerToken strides, too.", name);
            return CheckBuffer(name, scales.Scales.Length, rows with { Dim = 1 }, scales.Strides, out stored.ScaleStrides, "scales");
        }

        long expected = (long)rows.Heads * rows.Dim;
        if (scales.Scales.Length < expected)
            throw new ArgumentException($"Has {scales.Scales.Length} scales; heads {rows.Heads} × dimension {rows.Dim} need {expected}.", name);
        return (int)expected;
    }

    /// <summary>As <see cref="CheckScales"/>, for scales and minima over 32 tokens.</summary>
    private static int CheckScalesOver32Tokens(string name, in AttentionInput input, scoped in BufferRows rows, ref CallOperands.Stored stored)
    {
        const int Scaled = AttentionInput.ScaledTokens;
        AttentionScales scales = input.Scales;
        if (!scales.AreOver32Tokens && scales.Length > 0)
            throw new ArgumentException("Has 4-bit elements, whose scales are over 32 tokens: give AttentionScales.PerChannelOver32Tokens.", name);
        if (input.Strides is not null && scales.Strides is null && scales.Length > 0)
            throw new ArgumentException("Has strides for elements and none for their scales: give AttentionScales.PerChannelOver32Tokens strides, too.", name);
        return CheckBuffer(
            name, scales.Length, rows with { Tokens = (int)((rows.Tokens + (Scaled - 1L)) / Scaled), Dim = 2 * rows.Dim }, scales.Strides, out stored.ScaleStrides, "scales and minima");
    }

    /// <summary>Scales over 32 tokens are those of one sequence, whose tokens are counted from its first key or, with pages, from the first of a page.</summary>
    private static void CheckScaledTokens(string name, in AttentionOptions options)
    {
        const int Scaled = AttentionInput.ScaledTokens;
        if (options.KeyPages.IsGiven && options.KeyPages.PageSize % Scaled != 0)
            throw new ArgumentException($"Has scales over {Scaled} tokens, which need pages of a multiple of {Scaled} tokens, not {options.KeyPages.PageSize}.", name);
        if (options.KeyStarts.IsEmpty)
            return;
        foreach (int start in options.KeyStarts[..^1])
        {
            if (start % Scaled != 0)
                throw new ArgumentException($"Has scales over {Scaled} tokens, which need sequences that begin at multiples of {Scaled}; KeyStarts have {start}. Give padded sequences with KeyLengths, or pages.", name);
        }
    }

    /// <summary>Checks a buffer that is read; sets its strides, and the range of its elements that is read.</summary>
    public static void CheckInput(string name, in AttentionInput input, scoped in BufferRows rows, out AttentionStrides strides, out ReadBuffer read)
    {
        if (AttentionInput.AreReadTogether(input.Element))
            CheckGroups(name, input, rows.Dim);
        int length = CheckBuffer(name, input.Length, rows, input.Strides, out strides);
        read = new(in input.Start, (nuint)AttentionInput.BytesOf(input.Element, length), in Unsafe.NullRef<byte>(), 0);
    }

    private static void CheckGroups(string name, in AttentionInput input, int dim)
    {
        if (dim % AttentionInput.GroupLength != 0)
            throw new ArgumentException($"Elements in groups of {AttentionInput.GroupLength} need a dimension that is a multiple of it, not {dim}.", name);
        if (input.Strides is { } given && (given.Batch | given.Head | given.Length) % AttentionInput.GroupLength != 0)
            throw new ArgumentException($"Elements in groups of {AttentionInput.GroupLength} need strides that are multiples of it, in elements rather than bytes, not {given}.", name);
    }

    /// <summary>Checks that a buffer has all rows of its shape; sets its strides, and returns how many elements they reach.</summary>
    public static int CheckBuffer(string name, int length, in BufferRows rows, in AttentionStrides? given, out AttentionStrides strides, string elements = "elements")
    {
        if (given is not null)
        {
            strides = given.GetValueOrDefault();
            return CheckStrides(name, length, rows, strides, elements);
        }

        long expected = ElementCount(name, rows);
        if (length < expected)
            RefuseLength(name, length, rows, expected, elements);

        // With a batch of 0, the other sizes may be so large that their strides overflow 64 bits. No row is ever accessed there.
        strides = rows.Batch == 0 ? default : AttentionStrides.Contiguous(rows.Layout, rows.Heads, rows.Tokens, rows.Dim);
        return (int)expected;

        static void RefuseLength(string name, int length, in BufferRows rows, long expected, string elements)
        {
            string sizes = rows.ArePages ? $"pages {rows.Batch} × key-value heads {rows.Heads} × page size {rows.Tokens}" : $"batch {rows.Batch} × heads {rows.Heads} × length {rows.Tokens}";
            throw new ArgumentException($"Has {length} {elements}; {LastPage(rows)}{sizes} × dimension {rows.Dim} need {expected}.", name);
        }
    }

    /// <summary>Says where the number of pages comes from, if from a table.</summary>
    private static string LastPage(in BufferRows rows) => rows.LastPageOf is { } sequence ? $"KeyPages give sequence {sequence} page {rows.Batch - 1}: " : "";

    /// <summary>As <see cref="CheckBuffer"/>, for a buffer with strides.</summary>
    private static int CheckStrides(string name, int length, in BufferRows rows, in AttentionStrides strides, string elements)
    {
        if (strides.Batch < 0 || strides.Head < 0 || strides.Length < 0)
            throw new ArgumentOutOfRangeException(name, strides, "Strides must not be negative.");
        if (rows.AreNone)
            return 0;
        long needed = Reach(rows.Batch, strides.Batch) + Reach(rows.Heads, strides.Head) + Reach(rows.Tokens, strides.Length) + rows.Dim;
        if (length < needed)
            throw new ArgumentException($"Has {length} {elements}; {LastPage(rows)}its shape and strides reach element {needed}.", name);
        return (int)needed;
    }

    /// <summary>Checks the length of a log-sum-exp; returns how many elements there are.</summary>
    public static int CheckRows(string name, int length, in BufferRows rows)
    {
        long expected = RowCount(name, rows);
        if (length < expected)
            throw new ArgumentException($"The log-sum-exp has {length} elements; batch {rows.Batch} × query heads {rows.Heads} × query length {rows.Tokens} need {expected}.", name);
        return (int)expected;
    }

    /// <summary>
    /// Each axis must step over everything that the axes of smaller strides reach, so that no two rows share an element. Rows without strides need no such check.
    /// </summary>
    public static void CheckRowsApart(string name, in BufferRows rows, in AttentionStrides strides, string owner = "the output")
    {
        if (rows.AreNone)
            return;
        (long Stride, int Size) a = (strides.Batch, rows.Batch), b = (strides.Head, rows.Heads), c = (strides.Length, rows.Tokens);
        Order(ref a, ref b);
        Order(ref b, ref c);
        Order(ref a, ref b);
        long reach = rows.Dim;
        if (!Steps(a, ref reach) || !Steps(b, ref reach) || !Steps(c, ref reach))
            throw new ArgumentException($"With the strides {strides} rows of {owner} overlap.", name);

        static void Order(ref (long Stride, int Size) small, ref (long Stride, int Size) large)
        {
            if (small.Stride > large.Stride)
                (small, large) = (large, small);
        }

        static bool Steps((long Stride, int Size) axis, ref long reach)
        {
            if (axis.Size == 1)
                return true;
            bool apart = axis.Stride >= reach;
            reach += Reach(axis.Size, axis.Stride);
            return apart;
        }
    }

    /// <summary>The elements from the first to the last step along an axis; if that exceeds any span, only some number that does.</summary>
    public static long Reach(int size, long stride) => Math.Min((size - 1) * Math.Min(stride, 1L << 31), 1L << 40);

    /// <summary>The elements of all rows.</summary>
    public static long ElementCount(string name, in BufferRows rows) => Product(name, RowCount(name, rows), rows.Dim);

    private static long RowCount(string name, in BufferRows rows) => Product(name, Product(name, rows.Batch, rows.Heads), rows.Tokens);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Product(string name, long a, long b)
    {
        // Neither factor is above 2^31: the product fits.
        long product = a * b;
        if (product > int.MaxValue)
            Refuse(name, product);
        return product;

        static void Refuse(string name, long product) => throw new ArgumentException($"The shape of {name} has {product} elements, more than a span can hold.", "shape");
    }
}
