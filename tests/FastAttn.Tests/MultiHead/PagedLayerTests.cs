using System;
using System.Linq;
using System.Threading;

using FastAttn.Tests.Caches;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Layers whose keys and values are in pages, beside the same layers with a cache of one piece.</summary>
public static class PagedLayerTests
{
    private const int Dim = 32, HeadDim = 8, KeyValueHeads = 2, PageSize = 16;

    private static readonly MultiHeadAttentionOptions Causal = new() { ModelDim = Dim, Heads = 4, KeyValueHeads = KeyValueHeads, Mask = AttentionMask.Causal, Rotary = new(HeadDim) };

    public static TheoryData<string, int, int> Calls => [.. from kind in (string[])["rotary", "window", "softcap, norm", "ALiBi, sinks", "mask", "value dimension"] from batch in (int[])[1, 3] from threads in (int[])[1, 2] select (kind, batch, threads)];

    /// <summary>Prompts of different lengths, one padded and one ragged call, then single tokens; outputs, weights and lengths.</summary>
    [Theory]
    [MemberData(nameof(Calls))]
    public static void Pages_give_the_bits_of_one_piece(string kind, int batch, int threads)
    {
        Layer described = Described(kind);
        MultiHeadAttention layer = described.Build();
        using KeyValuePagePool pool = Pool(layer, pageCount: 30);
        PagedBatch paged = Batch(pool, batch);
        KeyValueCache piece = layer.CreateCache(batch, 8);
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        int[] lengths = [.. Enumerable.Range(0, batch).Select(static b => 41 - 20 * b)], starts = Starts(batch, static b => 3 + 7 * b);
        Step(41, lengths, [], hasWeights: true, "padded");
        Step(17, [], starts, hasWeights: false, "ragged");
        for (int i = 0; i < 3; i++)
            Step(1, [], [], hasWeights: true, $"token {i}");
        Assert.Equal(piece.Lengths.ToArray(), Enumerable.Range(0, batch).Select(b => paged[b].Length));

        void Step(int length, int[] queryLengths, int[] queryStarts, bool hasWeights, string what)
        {
            int tokens = queryStarts.Length > 0 ? queryStarts[^1] : batch * length, added = queryLengths.Length > 0 ? queryLengths.Max() : length;
            int keys = hasWeights ? piece.MaxLength + added : 0;
            float[] input = Tokens.Normal(tokens * Dim, 5 + length), expected = new float[input.Length], actual = new float[input.Length];
            float[] expectedWeights = new float[batch * 4 * length * keys], weights = new float[expectedWeights.Length];
            AttentionOptions options = Of(kind, length, keys) with { QueryLengths = queryLengths, QueryStarts = queryStarts };
            layer.Forward(input, expected, piece, length, options, attentionWeights: expectedWeights, execution: execution);
            layer.Forward(input, actual, paged, length, options, attentionWeights: weights, execution: execution);
            Compare.SameBits($"{kind}, {what}", expected, actual);
            Compare.SameBits($"{kind}, {what}, weights", expectedWeights, weights);

            layer.Attend(input.AsSpan(0, batch * Dim), piece, expected.AsSpan(0, batch * Dim), 1, new() { PositionOffset = 20 }, execution: execution);
            layer.Attend(input.AsSpan(0, batch * Dim), paged, actual.AsSpan(0, batch * Dim), 1, new() { PositionOffset = 20 }, execution: execution);
            Compare.SameBits($"{kind}, {what}, attended over", expected, actual);
        }
    }

    [Theory]
    [InlineData(PagedFormat.Float16)]
    [InlineData(PagedFormat.BFloat16)]
    [InlineData(PagedFormat.Int8PerToken)]
    [InlineData(PagedFormat.Int8Groups)]
    [InlineData(PagedFormat.Int4Groups)]
    [InlineData(PagedFormat.Int4PerChannel)]
    public static void Kept_in_fewer_bits_the_cache_is_that_of_rounded_floats(PagedFormat format)
    {
        // Both kinds of caches have the same bits. Rows of a float cache are rounded one by one and attended over.
        const int Length = 37;
        MultiHeadAttention layer = new Layer(Causal with { HeadDim = 32, ValueDim = 32, Rotary = new(32) }).Build();
        using var pool = new KeyValuePagePool(5, 2 * PageSize, KeyValueHeads, 32, 32, format.Element, format.Element);
        PagedBatch paged = Batch(pool, 1);
        KeyValueCache piece = layer.CreateCache(1, 4, canGrow: true, format.Element, format.Element), floats = layer.CreateCache(1, Length), rounded = layer.CreateCache(1, Length);
        float[] input = Tokens.Normal(Length * Dim), fromPages = new float[input.Length], fromPiece = new float[input.Length], output = new float[input.Length];
        foreach ((int first, int count) in ((int, int)[])[(0, Length - 2), (Length - 2, 1), (Length - 1, 1)])
        {
            layer.Forward(input.AsSpan(first * Dim), fromPages.AsSpan(first * Dim), paged, count);
            layer.Forward(input.AsSpan(first * Dim), fromPiece.AsSpan(first * Dim), piece, count);
            layer.Forward(input.AsSpan(first * Dim), output.AsSpan(first * Dim), floats, count);
        }

        Compare.SameBits("pages", fromPiece, fromPages);
        float[] keys = new float[Length * KeyValueHeads * 32], values = new float[keys.Length], kept = new float[keys.Length], keptValues = new float[keys.Length];
        floats.CopyTo(0, 0, Length, keys, values);
        Round(keys, format);
        Round(values, format);
        piece.CopyTo(0, 0, Length, kept, keptValues);
        Compare.SameBits("kept keys", keys, kept);
        Compare.SameBits("kept values", values, keptValues);
        rounded.Append(keys, values, Length);
        layer.Attend(input, rounded, output, Length);

        // The layer multiplies scales later than a row that is floats: float32 roundings of sums of 32, as in other tests of layers.
        // What a query sees of tokens that are rounded together with later ones is not yet what is kept of them in the end.
        int closed = format == PagedFormat.Int4PerChannel ? 32 * Dim : Length * Dim;
        Tokens.AreClose($"{format}", Tokens.Exact(output.AsSpan(0, closed).ToArray()), fromPages.AsSpan(0, closed).ToArray(), 1e-5);
        Assert.False(output.AsSpan().SequenceEqual(Unrounded()), "Rounding makes a difference.");

        float[] Unrounded()
        {
            var unrounded = new float[output.Length];
            layer.Attend(input, floats, unrounded, Length);
            return unrounded;
        }
    }

    /// <summary>Tiles of a layer's tokens end where tokens that are rounded together do, in padded calls and ragged ones, for any number of threads.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public static void Tokens_that_are_rounded_together_are_those_of_a_float_cache(int threads)
    {
        const int Batch = 4;
        MultiHeadAttention layer = new Layer(Causal with { HeadDim = 32, ValueDim = 32, Rotary = new(32) }).Build();
        using var pool = new KeyValuePagePool(24, 2 * PageSize, KeyValueHeads, 32, 32, AttentionElement.Int4, AttentionElement.Int4);
        PagedBatch paged = PagedLayerTests.Batch(pool, Batch);
        KeyValueCache piece = layer.CreateCache(Batch, 8, canGrow: true, AttentionElement.Int4, AttentionElement.Int4), floats = layer.CreateCache(Batch, 200);
        foreach ((int length, int[] lengths, int[] starts) in ((int, int[], int[])[])[(70, [70, 31, 0, 5], []), (99, [], [0, 1, 100, 117, 162]), (1, [], []), (33, [1, 33, 2, 0], []), (40, [], [0, 40, 40, 79, 80])])
        {
            int tokens = starts.Length > 0 ? starts[^1] : Batch * length;
            float[] input = Tokens.Normal(tokens * Dim, length), output = new float[input.Length], expected = new float[input.Length];
            AttentionOptions options = new() { QueryLengths = lengths, QueryStarts = starts };
            var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
            layer.Forward(input, expected, piece, length, options, execution: execution);
            layer.Forward(input, output, paged, length, options, execution: execution);
            Compare.SameBits($"{length}", expected, output);
            layer.Forward(input, output, floats, length, options, execution: execution);
        }

        for (int b = 0; b < Batch; b++)
        {
            int length = floats.Lengths[b];
            float[] keys = new float[length * KeyValueHeads * 32], values = new float[keys.Length], kept = new float[keys.Length], keptValues = new float[keys.Length];
            floats.CopyTo(b, 0, length, keys, values);
            Round(keys, PagedFormat.Int4PerChannel);
            Round(values, PagedFormat.Int4PerChannel);
            piece.CopyTo(b, 0, length, kept, keptValues);
            Compare.SameBits($"keys {b}", keys, kept);
            Compare.SameBits($"values {b}", values, keptValues);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public static void Tokens_that_are_refused_leave_no_trace_in_spans_before(int threads)
    {
        // 70 tokens would end three spans; afterwards the sequences go back into the span before the open one, and on from its floats.
        MultiHeadAttention layer = new Layer(Causal with { HeadDim = 32, ValueDim = 32, Rotary = new(32) }).Build();
        using var pool = new KeyValuePagePool(16, 32, KeyValueHeads, 32, 32, AttentionElement.Int4, AttentionElement.Int4);
        PagedBatch paged = PagedLayerTests.Batch(pool, 2);
        KeyValueCache piece = layer.CreateCache(2, 8, canGrow: true, AttentionElement.Int4, AttentionElement.Int4), straight = layer.CreateCache(2, 31, canGrow: false, AttentionElement.Int4, AttentionElement.Int4);
        float[] prompt = Tokens.Normal(2 * 30 * Dim, 1), drafts = Tokens.Normal(2 * 4 * Dim, 2), refused = Tokens.Normal(2 * 70 * Dim, 3), last = Tokens.Normal(2 * Dim, 4), output = new float[refused.Length];
        refused[^1] = float.NaN;
        foreach (AttentionCache cache in (AttentionCache[])[piece, paged])
        {
            Forward(cache, prompt, 30);
            Forward(cache, drafts, 4);
            Assert.Throws<ArgumentException>("input", () => Forward(cache, refused, 70));
        }

        piece.Truncate(30);
        paged[0].Truncate(30);
        paged[1].Truncate(30);
        Forward(straight, prompt, 30);
        float[] expected = Forward(straight, last, 1);
        Compare.SameBits("piece", expected, Forward(piece, last, 1));
        Compare.SameBits("paged", expected, Forward(paged, last, 1));

        float[] Forward(AttentionCache cache, float[] input, int length)
        {
            layer.Forward(input, output, cache, length, execution: new() { MaxDegreeOfParallelism = threads });
            return output[..input.Length];
        }
    }

    [Fact]
    public static void Tokens_after_evicted_ones_are_turned_by_their_positions()
    {
        // 60 tokens, of which 16 to 31 go; a cache of one piece that retains the others, and is told the positions.
        MultiHeadAttention layer = new Layer(Causal).Build();
        using KeyValuePagePool pool = Pool(layer, 10);
        PagedBatch paged = Batch(pool, 1);
        KeyValueCache piece = layer.CreateCache(1, 64);
        float[] input = Tokens.Normal(65 * Dim), expected = new float[65 * Dim], actual = new float[65 * Dim];
        layer.Forward(input, expected, piece, 60);
        layer.Forward(input, actual, paged, 60);
        Assert.Equal(16, paged[0].EvictBetween(4, 40));
        piece.Retain(0, 16, [.. Enumerable.Range(32, 28)]);
        layer.Forward(input.AsSpan(60 * Dim), expected.AsSpan(60 * Dim), piece, 5, positions: [60, 61, 62, 63, 64]);
        layer.Forward(input.AsSpan(60 * Dim), actual.AsSpan(60 * Dim), paged, 5);
        Compare.SameBits("after the gap", expected, actual);
        Assert.Equal((49, 65), (paged[0].Length, paged[0].NextPosition));
    }

    [Fact]
    public static void Window_that_moves_on_gives_back_its_pages()
    {
        MultiHeadAttention layer = new Layer(Causal with { Window = AttentionWindow.Sliding(20) }).Build();
        using KeyValuePagePool pool = Pool(layer, 3);
        PagedBatch paged = Batch(pool, 1);
        KeyValueCache piece = layer.CreateCache(1, 100);
        float[] input = Tokens.Normal(100 * Dim), expected = new float[Dim], actual = new float[Dim];
        for (int i = 0; i < 100; i++)
        {
            layer.Forward(input.AsSpan(i * Dim, Dim), expected, piece, 1);
            layer.Forward(input.AsSpan(i * Dim, Dim), actual, paged, 1);
            Compare.SameBits($"token {i}", expected, actual);
            paged[0].EvictBefore(i + 1 - 19);
        }

        Assert.Equal((100, 80), (paged[0].Length, paged[0].EvictedTokens));
    }

    [Fact]
    public static void Sequences_that_share_a_prompt_go_on_each_in_its_own_pages()
    {
        // Both write to the page that the prompt has filled in part; with the prefix read once, up to rounding.
        const int Prompt = 120;
        MultiHeadAttention layer = new Layer(Causal).Build();
        using KeyValuePagePool pool = Pool(layer, 20);
        PagedBatch paged = Batch(pool, 1);
        float[] prompt = Tokens.Normal(Prompt * Dim), next = Tokens.Normal(2 * Dim, 7), expected = new float[next.Length], actual = new float[next.Length];
        layer.Forward(prompt, new float[prompt.Length], paged, Prompt);
        PagedSequence fork = paged[0].Fork();
        paged.Add(fork);
        KeyValueCache piece = layer.CreateCache(2, Prompt + 1);
        layer.Forward([.. prompt, .. prompt], new float[2 * prompt.Length], piece, Prompt);
        layer.Forward(next, expected, piece, 1);
        int free = pool.FreePages;
        layer.Forward(next, actual, paged, 1);
        Compare.SameBits("forks", expected, actual);

        // Each has a copy of the shared page, which is free again.
        Assert.Equal(free - 1, pool.FreePages);
        Assert.True(paged[0].Pages[..7].SequenceEqual(fork.Pages[..7]));
        Assert.NotEqual(paged[0].Pages[7], fork.Pages[7]);

        paged[0].Truncate(Prompt);
        fork.Truncate(Prompt);
        paged.SharesPrefix = true;
        layer.Forward(next, actual, paged, 1);
        Tokens.AreClose("shared prefix", Tokens.Exact(expected), actual, 1e-6);
    }

    [Fact]
    public static void What_is_refused_leaves_pages_and_outputs_as_they_were()
    {
        MultiHeadAttention layer = new Layer(Causal).Build();
        using KeyValuePagePool pool = new(4, PageSize, KeyValueHeads, HeadDim, HeadDim, AttentionElement.Int8, AttentionElement.Int8), other = new(4, PageSize, 1, HeadDim);
        PagedBatch paged = Batch(pool, 2);
        float[] input = Tokens.Normal(2 * 20 * Dim), output = new float[input.Length];
        layer.Forward(input, output, paged, 10);
        int[] pages = [.. paged[0].Pages, .. paged[1].Pages];
        Array.Fill(output, Canary.Value);

        Refused<ArgumentException>("cache", () => layer.Forward(input, output, Batch(other, 2), 10));
        Refused<ArgumentException>("memory", () => layer.Attend(input, Batch(other, 2), output, 10));
        Refused<ArgumentException>("options", () => layer.Forward(input, output, paged, 10, new() { PositionOffset = 0 }));
        Refused<ArgumentException>("options", () => layer.Forward(input, output, paged, 10, new() { KeyPages = new([0, 1], PageSize) }));
        Refused<ArgumentException>("input", () => layer.Forward(input, output, paged, 21));

        // The first sequence has the page that it needs, the second one not two more.
        InvalidOperationException full = Assert.Throws<InvalidOperationException>(() => layer.Forward(input, output, paged, 38, new() { QueryStarts = [0, 10, 40] }));
        Assert.Contains("needs 3, and 2 of 4 are free", full.Message, StringComparison.Ordinal);
        IsUntouched();

        // Integers take no NaN: that of one token makes all its keys and values NaN.
        input[13 * Dim + 5] = float.NaN;
        Refused<ArgumentException>("input", () => layer.Forward(input, output, paged, 10));
        Refused<ArgumentException>("input", () => layer.Forward(input, output, layer.CreateCache(2, 10, canGrow: false, valueElement: AttentionElement.Int8), 10));
        Refused<ArgumentException>("value", () => layer.ProjectMemory(Tokens.Normal(20 * Dim), input, 1, 20, valueElement: AttentionElement.Int8));
        Refused<ArgumentException>("key", () => layer.ProjectMemory(input, input, 1, 20, keyElement: AttentionElement.Int8));
        input[13 * Dim + 5] = 0;
        Assert.Throws<OperationCanceledException>(() => layer.Forward(input, output, paged, 10, execution: new() { CancellationToken = new CancellationToken(canceled: true) }));
        IsUntouched();
        layer.Forward(input, output, paged, 10);
        Array.Fill(output, Canary.Value);

        // What has been evicted must be hidden.
        paged[0].EvictBefore(16);
        Refused<ArgumentException>("options", () => layer.Forward(input, output, paged, 1), lengths: 20);
        Refused<ArgumentException>("options", () => layer.Attend(input, paged, output, 1), lengths: 20);
        paged[1].Dispose();
        Assert.Contains("Sequence 1", Assert.Throws<ObjectDisposedException>(() => layer.Forward(input, output, paged, 1)).Message, StringComparison.Ordinal);
        Assert.All(output, static x => Assert.True(Canary.Is(x)));
        paged.RemoveAt(1);
        paged[0].Clear();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => layer.Forward(input, output, paged, 1));

        void Refused<T>(string parameter, Action call, int lengths = 10)
            where T : ArgumentException
        {
            Assert.Equal(parameter, Assert.ThrowsAny<T>(call).ParamName);
            Assert.Equal((lengths, lengths), (paged[0].Length, paged[1].Length));
            Assert.All(output, static x => Assert.True(Canary.Is(x)));
        }

        void IsUntouched()
        {
            Assert.Equal((10, 10, 2), (paged[0].Length, paged[1].Length, pool.FreePages));
            Assert.Equal(pages, (int[])[.. paged[0].Pages, .. paged[1].Pages]);
            Assert.All(output, static x => Assert.True(Canary.Is(x)));
        }
    }

    [Fact]
    public static void Lengths_that_no_attention_takes_are_refused_by_the_names_of_the_call()
    {
        MultiHeadAttention layer = new Layer(Causal).Build();
        using KeyValuePagePool pool = Pool(layer, pageCount: 1);
        float[] input = Tokens.Normal(17 * Dim), output = new float[input.Length];
        Array.Fill(output, Canary.Value);

        // The next position is 2³¹ − 4, as after a text of which little is left.
        PagedBatch late = Batch(pool, 1);
        late[0].Replace([], [], evictedPages: 0, length: 0, gap: int.MaxValue - 3);
        Refused("length", () => layer.Forward(input, output, late, 4));
        Refused("options", () => layer.Forward(input, output, late, 5, new() { QueryLengths = [4] }));
        Refused("options", () => layer.Forward(input, output, late, 5, new() { QueryStarts = [0, 4] }));

        // 2²⁷ pages for each of 17 sequences.
        PagedBatch wide = Batch(pool, 17);
        wide[0].Replace([], [], evictedPages: 0, length: int.MaxValue - 20, gap: 0);
        Refused("cache", () => layer.Forward(input, output, wide, 1));
        Refused("memory", () => layer.Attend(input, wide, output, 1));
        Assert.Equal(1, pool.FreePages);

        void Refused(string parameter, Action call)
        {
            Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
            Assert.All(output, static x => Assert.True(Canary.Is(x)));
        }
    }

    [Fact]
    public static void Caches_of_types_that_dimensions_do_not_fit_are_refused()
    {
        MultiHeadAttention layer = new Layer(Causal).Build();
        Assert.Throws<ArgumentOutOfRangeException>("keyElement", () => layer.CreateCache(1, 8, keyElement: AttentionElement.Int8Group32));
        Assert.Throws<ArgumentOutOfRangeException>("valueElement", () => layer.CreateCache(1, 8, valueElement: AttentionElement.Int4Group32));
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>("keyElement", () => layer.CreateCache(1, 8, keyElement: AttentionElement.Int4));
        Assert.Equal(AttentionElement.Int4, error.ActualValue);
        Assert.StartsWith($"Int4 needs a dimension that is a multiple of 32; heads have {HeadDim}. Of any dimension are Float32, Float16, BFloat16, Int8.", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>("valueElement", () => layer.CreateCache(1, 8, valueElement: (AttentionElement)77));
        Assert.Throws<ArgumentOutOfRangeException>("keyElement", () => layer.ProjectMemory([], [], 0, 0, keyElement: AttentionElement.Int8Group32));
        Assert.Throws<ArgumentOutOfRangeException>("headDim", static () => new KeyValueCache(1, 8, 1, 40, 32, keyElement: AttentionElement.Int8Group32));
        Assert.Throws<ArgumentOutOfRangeException>("headDim", static () => new KeyValueCache(1, 8, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>("valueDim", static () => new KeyValueCache(1, 8, 1, 8, 1025));
        Assert.Throws<ArgumentOutOfRangeException>("keyValueHeads", static () => new KeyValueCache(1, 8, 0, 8));
        Assert.Throws<ArgumentOutOfRangeException>("batch", static () => new KeyValueCache(-1, 8, 1, 8));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => new KeyValueCache(1, -1, 1, 8));

        // 2³¹ elements; bytes, where groups have them.
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => new KeyValueCache(1, 1 << 21, 1, 1024));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => new KeyValueCache(1, (1 << 21) - 2, 1, 1024, keyElement: AttentionElement.Int8Group32));

        // Groups of 4-bit integers have fewer bytes than elements. A cache without sequences takes no memory.
        AttentionElement groups = AttentionElement.Int4Group32;
        Assert.Equal((1 << 26) - 1, new KeyValueCache(0, (1 << 26) - 1, 1, 32, keyElement: groups, valueElement: groups).Capacity);
        Assert.Throws<ArgumentOutOfRangeException>("capacity", () => new KeyValueCache(0, 1 << 26, 1, 32, keyElement: groups, valueElement: groups));
    }

    private static KeyValuePagePool Pool(MultiHeadAttention layer, int pageCount) =>
        new(pageCount, PageSize, KeyValueHeads, layer.Options.HeadDim ?? HeadDim, layer.Options.ValueDim ?? HeadDim);

    private static PagedBatch Batch(KeyValuePagePool pool, int count)
    {
        var batch = new PagedBatch(pool);
        for (int b = 0; b < count; b++)
            batch.Add(new(pool));
        return batch;
    }

    private static Layer Described(string kind) => kind switch
    {
        "window" => new(Causal with { Window = AttentionWindow.Sliding(12) }),
        "softcap, norm" => new(Causal with { Softcap = 3 }, hasNorm: true),
        "ALiBi, sinks" => new(Causal with { Rotary = null }),
        "value dimension" => new(Causal with { ValueDim = 12 }),
        "mask" => new(Causal with { Mask = AttentionMask.None }),
        _ => new(Causal),
    };

    private static AttentionOptions Of(string kind, int length, int keys)
    {
        if (kind == "ALiBi, sinks")
            return new() { AlibiSlopes = (float[])[0.5f, 0.25f, 0.1f, 0], Sinks = (float[])[1, -1, 0.5f, float.NegativeInfinity] };
        if (kind != "mask")
            return default;

        // The ragged call, which has no weights, makes the first sequence the longest: 41 + 3 tokens.
        keys = keys == 0 ? 44 : keys;
        return new() { AdditiveMask = new(Tokens.Normal(length * keys, 9), new AttentionMaskSizes(1, 1, length, keys)) };
    }

    private static int[] Starts(int batch, Func<int, int> length) => Enumerable.Range(0, batch).Aggregate((int[])[0], (starts, b) => [.. starts, starts[^1] + length(b)]);

    /// <summary>Rounds rows of 32 numbers, as the types are defined.</summary>
    private static void Round(float[] numbers, PagedFormat format)
    {
        const int RowLength = KeyValueHeads * 32;
        if (format == PagedFormat.Int4PerChannel)
        {
            for (int channel = 0; channel < numbers.Length; channel += (channel + 1) % RowLength == 0 ? 31 * RowLength + 1 : 1)
                RoundChannel(channel, Math.Min(channel + 32 * RowLength, numbers.Length));
            return;
        }

        for (int first = 0; first < numbers.Length; first += 32)
        {
            Span<float> row = numbers.AsSpan(first, 32);
            float min = row[0], max = row[0], largest = 0;
            foreach (float x in row)
                (min, max, largest) = (MathF.Min(min, x), MathF.Max(max, x), MathF.Max(largest, MathF.Abs(x)));
            float scale = largest / 127, groupScale = (float)(Half)scale, step = (float)(Half)((max - min) / 15), start = (float)(Half)min;
            foreach (ref float x in row)
            {
                x = format switch
                {
                    PagedFormat.Float16 => (float)(Half)x,
                    PagedFormat.BFloat16 => (float)(BFloat16)x,
                    PagedFormat.Int8PerToken => scale * (int)MathF.Round(x / scale),
                    PagedFormat.Int8Groups => groupScale * (int)Math.Clamp(MathF.Round(x / groupScale), -127, 127),
                    _ => step * Math.Clamp(MathF.Round((x - start) / step), 0, 15) + start,
                };
            }
        }

        void RoundChannel(int first, int end)
        {
            float min = float.PositiveInfinity, max = float.NegativeInfinity;
            for (int i = first; i < end; i += RowLength)
                (min, max) = (MathF.Min(min, numbers[i]), MathF.Max(max, numbers[i]));
            float step = (float)(Half)(((double)max - min) / 15), start = (float)(Half)min;
            for (int i = first; i < end; i += RowLength)
                numbers[i] = step * (float)Math.Clamp(Math.Round(((double)numbers[i] - start) / step), 0, 15) + start;
        }
    }
}
