using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>Rows that are written to slots of the caller's own pages.</summary>
[Collection(AloneCollection.Name)]
public static class KeyValuePagesTests
{
    private const int Pages = 6, PageSize = 16, Heads = 2, Dim = 32;

    public static TheoryData<PagedFormat> Formats => [.. Enum.GetValues<PagedFormat>().Where(static format => format != PagedFormat.Int4PerChannel)];

    [Fact]
    public static void A_slot_is_a_row_of_a_page()
    {
        // 3 pages of 2 tokens, 2 heads of 1 float: [pages, heads, tokens, dim], then [pages, tokens, heads, dim]. Token 1 is padding.
        float[] rows = [1, 2, 3, 4, 5, 6, 7, 8], byHead = new float[12], byToken = new float[12];
        new KeyValuePages(byHead, pageCount: 3, pageSize: 2, keyValueHeads: 2, dim: 1).Write(rows, (long[])[5, -1, 0, 3]);
        Assert.Equal([5, 0, 6, 0, 0, 7, 0, 8, 0, 1, 0, 2], byHead);
        new KeyValuePages(byToken, 3, 2, 2, 1, AttentionStrides.Of(AttentionLayout.BatchLengthHeadDim, heads: 2, capacity: 2, dim: 1)).Write(rows, (int[])[5, -1, 0, 3]);
        Assert.Equal([5, 6, 0, 0, 0, 0, 7, 8, 0, 0, 1, 2], byToken);
    }

    [Fact]
    public static void Of_tokens_with_one_slot_the_last_stays()
    {
        var elements = new float[4];
        new KeyValuePages(elements, 1, 4, 1, 1).Write([], []);
        new KeyValuePages(elements, 1, 4, 1, 1).Write([1, 2, 3], [2, 2, 2]);
        Assert.Equal([0, 0, 3, 0], elements);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public static void Slots_have_the_bits_of_a_sequence_of_a_pool(PagedFormat format)
    {
        // The pages of a sequence, in another order, and the tokens out of order, in two calls.
        const int Tokens = 50;
        int[] table = [3, 0, 5, 2];
        var random = new Random((int)format);
        float[] keys = Normal(random, Tokens * Heads * Dim), query = Normal(random, Heads * Dim), channelScales = new float[Heads * Dim];
        KeyValueQuantizer.FindChannelScales(keys.AsSpan(0, keys.Length / 2), channelScales);
        bool hasChannelScales = format == PagedFormat.Int8PerChannel;
        using KeyValuePagePool pool = new(Pages, PageSize, Heads, Dim, keyElement: format.Element, keyScales: hasChannelScales ? channelScales : []);
        using var sequence = new PagedSequence(pool);
        sequence.Append(keys, keys, Tokens);
        var batch = new PagedBatch(pool);
        batch.Add(sequence);
        float[] expected = new float[query.Length], actual = new float[query.Length];
        batch.Attend(query, expected, Heads, 1);

        foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
        {
            var buffers = new Buffers();
            KeyValuePages pages = buffers.Of(format, channelScales, layout);
            float[] values = new float[Pages * PageSize * Heads * Dim];
            KeyValuePages valuePages = new(values, Pages, PageSize, Heads, Dim);
            int[] order = [.. Enumerable.Range(0, Tokens)];
            random.Shuffle(order);
            foreach (int[] part in (int[][])[order[..20], order[20..]])
            {
                float[] rows = [.. part.SelectMany(token => keys.Skip(token * Heads * Dim).Take(Heads * Dim))];
                long[] slots = [.. part.Select(token => (long)table[token / PageSize] * PageSize + token % PageSize)];
                pages.Write(rows, slots);
                valuePages.Write(rows, Array.ConvertAll(slots, static slot => (int)slot));
            }

            // The same rows, and so the same attention.
            for (int token = 0; token < Tokens; token++)
            {
                for (int head = 0; head < Heads; head++)
                    Assert.True(Row(pages.Input, table[token / PageSize], head, token % PageSize).SequenceEqual(Row(pool.Keys, sequence.Pages[token / PageSize], head, token % PageSize)));
            }

            ScaledDotProductAttention.Forward(
                query,
                pages.Input,
                valuePages.Input,
                actual,
                new AttentionShape(1, Heads, Heads, 1, Tokens),
                Dim,
                options: new() { KeyPages = new AttentionPages(table, PageSize) });
            Assert.True(actual.AsSpan().SequenceEqual(expected));
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public static void What_no_slot_names_is_left_alone_and_nothing_is_allocated(PagedFormat format)
    {
        var random = new Random(1);
        float[] rows = Normal(random, 3 * Heads * Dim), channelScales = [.. Enumerable.Repeat(1f, Heads * Dim)];
        long[] slots = [17, -1, 95];
        var buffers = new Buffers();
        buffers.Fill();
        byte[] before = buffers.Bytes(format);
        buffers.Of(format, channelScales, AttentionLayout.BatchHeadLengthDim).Write(rows, slots);
        byte[] after = buffers.Bytes(format);
        int rowBytes = (int)AttentionInput.BytesOf(format.Element, Dim), changed = 0;
        for (int row = 0; row < Pages * Heads * PageSize; row++)
        {
            int slot = row / (Heads * PageSize) * PageSize + row % PageSize;
            bool isSame = before.AsSpan(row * rowBytes, rowBytes).SequenceEqual(after.AsSpan(row * rowBytes, rowBytes));
            Assert.True(isSame || slots.Contains(slot));
            changed += isSame ? 0 : 1;
        }

        Assert.Equal(2 * Heads, changed);
        if (format == PagedFormat.Int8PerToken)
            Assert.Equal(2 * Heads, buffers.Scales.Count(static scale => scale != 1));
        Allocations.AreNone("write", () => buffers.Of(format, channelScales, AttentionLayout.BatchHeadLengthDim).Write(rows, slots));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public static void A_page_is_copied_with_its_scales(PagedFormat format)
    {
        // Pages 4 and 1 of random rows; 4 becomes what 1 is, and all others stay.
        float[] rows = Normal(new Random((int)format), 2 * PageSize * Heads * Dim), channelScales = [.. Enumerable.Repeat(0.05f, Heads * Dim)];
        long[] slots = [.. Enumerable.Range(0, 2 * PageSize).Select(static i => i < PageSize ? 4 * PageSize + i : i)];
        foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
        {
            var buffers = new Buffers();
            buffers.Fill();
            KeyValuePages pages = buffers.Of(format, channelScales, layout);
            pages.Write(rows, slots);
            float[][] before = RowsOf(pages);
            Assert.False(before[4 * Heads * PageSize].AsSpan().SequenceEqual(before[Heads * PageSize]));
            pages.CopyPage(from: 1, to: 4);
            float[][] after = RowsOf(pages);
            for (int i = 0; i < after.Length; i++)
                Assert.Equal(before[i / (Heads * PageSize) == 4 ? i - 3 * Heads * PageSize : i], after[i]);
            pages.CopyPage(2, 2);
            Assert.Equal(after, RowsOf(pages));
            Allocations.AreNone("copy", () => buffers.Of(format, channelScales, layout).CopyPage(0, 5));
        }

        static float[][] RowsOf(KeyValuePages pages)
        {
            var rows = new float[Pages * Heads * PageSize][];
            for (int i = 0; i < rows.Length; i++)
                rows[i] = Row(pages.Input, i / (Heads * PageSize), i / PageSize % Heads, i % PageSize);
            return rows;
        }
    }

    [Fact]
    public static void What_stands_between_rows_is_not_copied()
    {
        // 2 pages of 2 tokens of 1 float, each of which a float of others follows; scales likewise.
        float[] elements = [1, 2, 3, 4, 5, 6, 7, 8], scales = [.. elements];
        new KeyValuePages(elements, 2, 2, 1, 1, new AttentionStrides(4, 0, 2)).CopyPage(1, 0);
        Assert.Equal([5, 2, 7, 4, 5, 6, 7, 8], elements);
        sbyte[] integers = [1, 2, 3, 4, 5, 6, 7, 8];
        KeyValuePages.OfInt8PerToken(integers, scales, 2, 2, 1, 1, new AttentionStrides(4, 0, 2), new AttentionStrides(4, 0, 2)).CopyPage(0, 1);
        Assert.Equal([1, 2, 3, 4, 1, 6, 3, 8], integers);
        Assert.Equal([1, 2, 3, 4, 1, 6, 3, 8], scales);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public static void Numbers_that_cannot_be_kept_are_refused_before_anything_is_written(PagedFormat format)
    {
        float[] rows = Normal(new Random(2), 3 * Heads * Dim), channelScales = [.. Enumerable.Repeat(1f, Heads * Dim)];
        var buffers = new Buffers();
        buffers.Fill();
        byte[] before = buffers.Bytes(format);
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, 1e30f])
        {
            rows[^1] = bad;
            if (format.IsInteger && (!float.IsFinite(bad) || format.IsInGroups))
            {
                ArgumentException error = Assert.Throws<ArgumentException>("rows", () => buffers.Of(format, channelScales, AttentionLayout.BatchHeadLengthDim).Write(rows, (long[])[0, 1, 2]));
                Assert.Contains("Token 2, head 1", error.Message, StringComparison.Ordinal);
                Assert.Equal(before, buffers.Bytes(format));
            }

            // Padding may hold anything.
            var other = new Buffers();
            other.Of(format, channelScales, AttentionLayout.BatchHeadLengthDim).Write(rows, (long[])[0, 1, -3]);
        }
    }

    /// <summary>Their lengths are a feature, the pages themselves are none.</summary>
    [Fact]
    public static void A_kernel_without_features_takes_pages()
    {
        var random = new Random(1);
        AttentionShape shape = new(batch: 2, queryHeads: 4, keyValueHeads: Heads, queryLength: 20, keyLength: 21);
        float[] query = Normal(random, 2 * 4 * 20 * Dim), memory = Normal(random, Pages * PageSize * Heads * Dim), expected = new float[query.Length], actual = new float[query.Length];
        var pages = new KeyValuePages(memory, Pages, PageSize, Heads, Dim);
        int[] table = [3, 0, 5, 2];
        DeclaredKernels.Full32.Forward(query, pages.Input, pages.Input, actual, shape, new() { KeyPages = pages.Table(table) });
        ScaledDotProductAttention.Forward(query, pages.Input, pages.Input, expected, shape, Dim, options: new() { KeyPages = pages.Table(table), KeyLengths = [21, 21] });
        Compare.SameBits("output", expected, actual);
        Assert.Contains(
            "Lengths",
            Assert.Throws<ArgumentException>("options", () => DeclaredKernels.Full32.Forward(
                query, new KeyValuePages(memory, Pages, PageSize, Heads, Dim).Input, new KeyValuePages(memory, Pages, PageSize, Heads, Dim).Input, actual, shape,
                new() { KeyPages = new AttentionPages(table, PageSize), KeyLengths = [21, 21] })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public static void Arguments_that_do_not_fit_are_refused_and_nothing_is_written()
    {
        float[] elements = new float[24], rows = new float[9], scales = new float[12];
        sbyte[] integers = new sbyte[24];
        Refused("pageCount", () => _ = new KeyValuePages(elements, 0, 2, 2, 2));
        Refused("pageSize", () => _ = new KeyValuePages(elements, 3, 0, 2, 2));
        Refused("keyValueHeads", () => _ = new KeyValuePages(elements, 3, 2, 0, 2));
        Refused("dim", () => _ = new KeyValuePages(elements, 3, 2, 2, 0));
        Refused("dim", () => _ = new KeyValuePages(elements, 3, 2, 2, 1025));
        Refused("pageCount", () => _ = new KeyValuePages(elements, int.MaxValue, int.MaxValue, int.MaxValue, 1024));
        Refused("elements", () => _ = new KeyValuePages(elements, 3, 2, 2, 3));
        Refused("elements", () => _ = new KeyValuePages(elements, 3, 2, 2, 2, new AttentionStrides(9, 4, 2)));
        Refused("strides", () => _ = new KeyValuePages(elements, 3, 2, 2, 2, new AttentionStrides(8, -4, 2)));
        Refused("strides", () => _ = new KeyValuePages(elements, 3, 2, 2, 2, new AttentionStrides(8, 2, 2)));
        Refused("dim", () => _ = KeyValuePages.OfGroups(new byte[340], AttentionElement.Int8Group32, 1, 1, 1, 40));
        Refused("strides", () => _ = KeyValuePages.OfGroups(new byte[340], AttentionElement.Int8Group32, 1, 2, 1, 32, new AttentionStrides(0, 0, 40)));
        Refused("element", () => _ = KeyValuePages.OfGroups(new byte[340], AttentionElement.Int4, 1, 32, 1, 32));
        Refused("groups", () => _ = KeyValuePages.OfGroups(new byte[33], AttentionElement.Int8Group32, 1, 1, 1, 32));
        Refused("scales", () => _ = KeyValuePages.OfInt8PerToken(integers, new float[11], 3, 2, 2, 2));
        Refused("scaleStrides", () => _ = KeyValuePages.OfInt8PerToken(integers, scales, 3, 2, 2, 2, new AttentionStrides(8, 4, 2)));
        Refused("scaleStrides", () => _ = KeyValuePages.OfInt8PerToken(integers, scales, 3, 2, 2, 2, scaleStrides: new AttentionStrides(4, 1, 1)));
        Refused("scales", () => _ = KeyValuePages.OfInt8PerToken(Shared<sbyte>(scales), scales, 3, 2, 2, 2));
        Refused("scales", () => _ = KeyValuePages.OfInt8PerChannel(integers, [1, 1, 1], 3, 2, 2, 2));
        Refused("scales", () => _ = KeyValuePages.OfInt8PerChannel(integers, [1, 1, -1, 1], 3, 2, 2, 2));

        Refused("rows", () => new KeyValuePages(elements, 3, 2, 2, 2).Write(rows, (long[])[0, 1, 2]));
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>("slots", () => new KeyValuePages(elements, 3, 2, 2, 2).Write(rows, (long[])[0, 6]));
        Assert.Contains("Token 1 ", error.Message, StringComparison.Ordinal);
        Refused("slots", () => new KeyValuePages(elements, 3, 2, 2, 2).Write(rows, (int[])[0, int.MaxValue]));
        Refused("slots", () => new KeyValuePages(elements, 3, 2, 2, 2).Write(rows, (long[])[long.MaxValue]));
        Refused("rows", () => new KeyValuePages(elements, 3, 2, 2, 2).Write(elements.AsSpan(20), (long[])[0]));
        Refused("slots", () => new KeyValuePages(elements, 3, 2, 2, 2).Write(rows, Shared<int>(elements)[..2]));
        Refused("rows", () => KeyValuePages.OfInt8PerToken(integers, scales, 3, 2, 2, 2).Write(scales.AsSpan(0, 4), (long[])[0]));
        Refused("slots", () => KeyValuePages.OfInt8PerToken(integers, scales, 3, 2, 2, 2).Write(rows, Shared<int>(scales)[..1]));
        foreach (int page in (int[])[-1, 3, int.MaxValue, int.MinValue])
        {
            Refused("from", () => KeyValuePages.OfInt8PerToken(integers, scales, 3, 2, 2, 2).CopyPage(page, 0));
            Refused("to", () => KeyValuePages.OfInt8PerToken(integers, scales, 3, 2, 2, 2).CopyPage(0, page));
        }

        Assert.DoesNotContain(elements, static element => element != 0);
        Assert.DoesNotContain(integers, static element => element != 0);

        // What is not needed may overlap.
        new KeyValuePages(elements, 1, 2, 2, 2).Write(elements.AsSpan(8), (long[])[0, 1]);
        Assert.Throws<InvalidOperationException>(static () => default(KeyValuePages).Write([], (long[])[]));
        Assert.Throws<InvalidOperationException>(static () => _ = default(KeyValuePages).Input);
        Assert.Throws<InvalidOperationException>(static () => _ = default(KeyValuePages).Table([0]));
        Assert.Throws<InvalidOperationException>(static () => default(KeyValuePages).CopyPage(0, 0));

        static void Refused(string name, Action call) => Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(call).ParamName);
        static Span<T> Shared<T>(float[] floats)
            where T : unmanaged => MemoryMarshal.Cast<float, T>(floats.AsSpan());
    }

    /// <summary>A row as it is kept, with its scales.</summary>
    private static float[] Row(AttentionInput input, int page, int head, int place)
    {
        AttentionStrides strides = input.Strides!.Value;
        var row = new float[Dim + 1];
        input.Row(page * strides.Batch + head * strides.Head + place * strides.Length, new float[Dim]).CopyTo(row);
        if (input.Scales.Strides is { } scales)
            row[Dim] = input.Scales.Scales[(int)(page * scales.Batch + head * scales.Head + place * scales.Length)];
        return row;
    }

    private static float[] Normal(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(MathF.Tau * random.NextSingle()))];

    /// <summary>Memory for pages of any format.</summary>
    private sealed class Buffers
    {
        private readonly byte[] _bytes = new byte[Pages * PageSize * Heads * Dim * sizeof(float)];

        public float[] Scales { get; } = new float[Pages * PageSize * Heads];

        public void Fill()
        {
            Array.Fill(_bytes, (byte)0x3C);
            Array.Fill(Scales, 1);
        }

        public byte[] Bytes(PagedFormat format) => _bytes[..(int)AttentionInput.BytesOf(format.Element, Pages * PageSize * Heads * Dim)];

        public KeyValuePages Of(PagedFormat format, float[] channelScales, AttentionLayout layout)
        {
            AttentionStrides strides = AttentionStrides.Of(layout, Heads, PageSize, Dim), scaleStrides = AttentionStrides.Of(layout, Heads, PageSize, 1);
            return format switch
            {
                PagedFormat.Float32 => new(As<float>(), Pages, PageSize, Heads, Dim, strides),
                PagedFormat.Float16 => new(As<Half>(), Pages, PageSize, Heads, Dim, strides),
                PagedFormat.BFloat16 => new(As<BFloat16>(), Pages, PageSize, Heads, Dim, strides),
                PagedFormat.Int8PerToken => KeyValuePages.OfInt8PerToken(As<sbyte>(), Scales, Pages, PageSize, Heads, Dim, strides, scaleStrides),
                PagedFormat.Int8PerChannel => KeyValuePages.OfInt8PerChannel(As<sbyte>(), channelScales, Pages, PageSize, Heads, Dim, strides),
                _ => KeyValuePages.OfGroups(_bytes, format.Element, Pages, PageSize, Heads, Dim, strides),
            };
        }

        private Span<T> As<T>()
            where T : unmanaged => MemoryMarshal.Cast<byte, T>(_bytes.AsSpan());
    }
}
