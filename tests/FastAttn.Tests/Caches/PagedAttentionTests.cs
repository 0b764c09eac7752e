using System;
using System.Linq;
using System.Threading;

using FastAttn.Tests.Fixtures;

using Xunit;

using static FastAttn.Tests.Caches.PagedTokens;

namespace FastAttn.Tests.Caches;

/// <summary>Attention over sequences in pages has the bits of attention over each sequence alone, with its keys and values side by side.</summary>
public static class PagedAttentionTests
{
    private static readonly PagedFormat[] Floats = [PagedFormat.Float32, PagedFormat.Float16, PagedFormat.BFloat16];

    public static TheoryData<PagedFormat, PagedFormat> Pairs =>
    [
        .. Floats.SelectMany(static key => Floats.Where(value => !Budget.IsSmall || value != key).Select(value => (key, value))).Take(Budget.Of(9, 3)),
        .. PagedFormats.Integers.Select(static format => (format, format)),
        .. PagedFormats.Integers.Select(static format => (format, PagedFormat.BFloat16)).Take(Budget.Of(9, 1)),
        (PagedFormat.Int8PerChannel, PagedFormat.Int8PerToken), (PagedFormat.Float32, PagedFormat.Int8PerToken), (PagedFormat.Int8Groups, PagedFormat.Int4Groups),
    ];

    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Sequences_in_pages_have_the_bits_that_each_has_alone(PagedFormat key, PagedFormat value)
    {
        for (int seed = 0; seed < Budget.Of(150, 8); seed++)
        {
            using var problem = new PagedProblem(seed, key, value);
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(problem.Kernel.For))
            {
                (float[] expected, float[] expectedSums) = problem.AttendAlone(kernel);
                Check($"{kernel.Name}, seed {seed}", expected, expectedSums, problem.Attend(kernel, threads: 1 + seed % 3));
                if (kernel.InstructionSet == InstructionSets.Default)
                    Check($"without a kernel, seed {seed}", expected, expectedSums, problem.Attend(null, threads: 2));
            }
        }

        static void Check(string what, float[] output, float[] sums, (float[] Output, float[] LogSumExp) actual)
        {
            Assert.All(output, static number => Assert.True(float.IsFinite(number)));
            Compare.SameBits($"{what}, output", output, actual.Output);
            Compare.SameBits($"{what}, log-sum-exp", sums, actual.LogSumExp);
        }
    }

    /// <summary>Two sequences of one head with keys of 0, so that outputs are means of the values that a query sees.</summary>
    [Fact]
    public static void Queries_are_the_last_tokens_of_their_sequences()
    {
        using var pool = new KeyValuePagePool(pageCount: 4, pageSize: 16, keyValueHeads: 1, headDim: 1);
        using PagedSequence one = new(pool), other = new(pool);
        float[] zeros = new float[30];
        one.Append(zeros, (float[])[1, 2, 3], 3);
        other.Append(zeros, [.. Range(1, 20).Select(static number => (float)number)], 20);
        var batch = new PagedBatch(pool);
        batch.Add(one);
        batch.Add(other);
        float[] output = new float[4];
        batch.Attend(zeros, output, queryHeads: 1, queryLength: 2);
        Assert.Equal([1.5f, 2, 10, 10.5f], output);
        batch.Attend(zeros, output, queryHeads: 1, queryLength: 2, AttentionMask.None);
        Assert.Equal([2, 2, 10.5f, 10.5f], output);
        batch.Attend(zeros, output, queryHeads: 1, queryLength: 2, options: new() { PositionOffsets = [0, 4] });
        Assert.Equal([1, 1.5f, 3, 3.5f], output);

        // As many queries as the longest sequence has keys, of which the shorter one has fewer.
        Array.Resize(ref output, 40);
        batch.Attend(zeros.AsSpan().ToArray().Concat(zeros).ToArray(), output, queryHeads: 1, queryLength: 20, options: new() { QueryLengths = [3, 20] });
        Assert.Equal([1, 1.5f, 2, 0], output[..4]);
        Assert.Equal([1, 1.5f, 2], output[20..23]);

        // After the window has moved on, tokens 0 to 15 of the second sequence are gone: query 19 sees 18 and 19.
        other.EvictBefore(18);
        Assert.Equal(16, other.EvictedTokens);
        batch.Attend(zeros, output, queryHeads: 1, queryLength: 1, options: new() { Window = AttentionWindow.Sliding(2) });
        Assert.Equal([2.5f, 19.5f], output[..2]);
    }

    [Fact]
    public static void A_reordered_batch_goes_on_with_the_tokens_of_the_sources()
    {
        using KeyValuePagePool pool = Pool(12);
        PagedSequence[] beams = [new(pool), new(pool), new(pool)];
        var batch = new PagedBatch(pool);
        for (int b = 0; b < 3; b++)
        {
            Append(beams[b], Range(100 * b, 20 + b));
            batch.Add(beams[b]);
        }

        batch.Reorder([2, 2, 0]);
        Assert.Equal(8, pool.FreePages);
        Append(beams[0], 7);
        Append(beams[1], 8);
        AreIn(beams[0], [.. Range(200, 22), 7]);
        AreIn(beams[1], [.. Range(200, 22), 8]);
        AreIn(beams[2], Range(0, 20));
        Assert.Equal(12 - 5, pool.FreePages);
        Assert.Same(beams[1], batch[1]);

        Assert.Throws<ArgumentException>("sources", () => batch.Reorder([0, 1]));
        Assert.Throws<ArgumentOutOfRangeException>("sources", () => batch.Reorder([0, 1, 3]));
        Assert.Throws<ArgumentOutOfRangeException>("sources", () => batch.Reorder([0, -1, 2]));
        AreIn(beams[2], Range(0, 20));
    }

    [Fact]
    public static void An_empty_batch_and_empty_sequences_are_valid()
    {
        using KeyValuePagePool pool = Pool(1);
        var batch = new PagedBatch(pool);
        batch.Attend(Array.Empty<float>(), Array.Empty<float>(), Heads, 0);
        batch.Attend(Array.Empty<float>(), Array.Empty<float>(), Heads, 5);
        using var sequence = new PagedSequence(pool);
        batch.Add(sequence);
        Assert.Equal((1, 0), (batch.Count, batch.MaxLength));
        float[] output = [1, 2, 3, 4, 5, 6], sums = [1, 2];
        batch.Attend(new float[8], new AttentionOutput(output, sums), Heads, 1, AttentionMask.None);
        Assert.Equal(new float[6], output);
        Assert.Equal([float.NegativeInfinity, float.NegativeInfinity], sums);
        batch.Clear();
        Assert.Equal(0, batch.Count);
    }

    [Fact]
    public static void Arguments_that_do_not_fit_are_refused_and_nothing_is_written()
    {
        using KeyValuePagePool pool = Pool(6), otherPool = Pool(1);
        using PagedSequence sequence = new(pool), foreign = new(otherPool), evicted = new(pool);
        var batch = new PagedBatch(pool);
        Append(sequence, Range(0, 20));
        batch.Add(sequence);
        float[] query = new float[Heads * 30 * HeadDim], output = new float[Heads * 30 * ValueDim];
        output.AsSpan().Fill(Canary.Value);

        Refused("pool", () => _ = new PagedBatch(null!));
        Refused("sequence", () => batch.Add(null!));
        Refused("sequence", () => batch.Add(foreign));
        Refused("sequence", () => batch.Add(sequence));
        Refused("queryHeads", () => batch.Attend(query, output, 0, 1));
        Refused("queryHeads", () => batch.Attend(query, output, 3, 1));
        Refused("queryLength", () => batch.Attend(query, output, Heads, -1));
        Refused("layout", () => batch.Attend(query, output, Heads, 1, layout: (AttentionLayout)2));
        Refused("mask", () => batch.Attend(query, output, Heads, 1, (AttentionMask)2));
        Refused("query", () => batch.Attend(query.AsSpan(0, 7), output, Heads, 1));
        Refused("output", () => batch.Attend(query, output.AsSpan(0, 5), Heads, 1));
        Refused("execution", () => batch.Attend(query, output, Heads, 1, execution: new() { MaxDegreeOfParallelism = -2 }));
        Refused("kernel", () => batch.Attend(null!, query, output, Heads, 1));
        Refused("kernel", () => batch.Attend(ScaledDotProductAttention.GetKernel(HeadDim), query, output, Heads, 1));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { KeyLengths = [20] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { KeyStarts = [0, 20] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { KeyPages = new([0, 1], 16) }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { KeyPart = new(0, 20) }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { QueryLengths = [1, 1] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { QueryStarts = [0] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { QueryStarts = [0, -1] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { PositionOffsets = [1, 1] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { PositionOffset = 1, PositionOffsets = [1] }));

        // More queries than tokens: the first would stand before the first token.
        Refused("options", () => batch.Attend(query, output, Heads, 21));

        // Token 0 to 15 are gone. Query 19 sees them with a window of 5 tokens, but not with one of 4.
        batch.Clear();
        Append(evicted, Range(0, 20));
        evicted.EvictBefore(16);
        batch.Add(evicted);
        Refused("options", () => batch.Attend(query, output, Heads, 1));
        Refused("options", () => batch.Attend(query, output, Heads, 1, AttentionMask.None, new() { Window = new(null, 0) }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { Window = AttentionWindow.Sliding(5) }));
        Refused("options", () => batch.Attend(query, output, Heads, 2, options: new() { Window = AttentionWindow.Sliding(4) }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { Window = AttentionWindow.Sliding(4), PositionOffset = 18 }));
        batch.Attend(query, new float[6], Heads, 1, options: new() { Window = AttentionWindow.Sliding(4) });

        evicted.Dispose();
        DisposedFirst(() => batch.Attend(query, output, Heads, 1, AttentionMask.None));
        DisposedFirst(() => batch.Reorder([0]));
        Assert.Throws<ObjectDisposedException>(() => batch.Add(evicted));
        batch.Clear();
        batch.Add(sequence);
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => batch.Attend(query, output, Heads, 1));
        Assert.All(output, static number => Assert.True(Canary.Is(number)));

        static void DisposedFirst(Action call) => Assert.Contains("Sequence 0", Assert.Throws<ObjectDisposedException>(call).Message, StringComparison.Ordinal);
        static void Refused(string parameter, Action call) => Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
    }

    [Fact]
    public static void Attention_may_run_while_sequences_that_share_its_pages_are_changed()
    {
        using var pool = new KeyValuePagePool(pageCount: 20, pageSize: 16, keyValueHeads: 1, headDim: 16);
        using var origin = new PagedSequence(pool);
        var random = new Random(1);
        float[] tokens = new float[50 * 16], query = new float[16];
        RandomData.FillNormal(tokens, random);
        RandomData.FillNormal(query, random);
        origin.Append(tokens, tokens, 50);
        float[] expected = new float[16];
        ScaledDotProductAttention.Forward(query, tokens, tokens, expected, new(1, 1, 1, 1, 50), 16);
        int readers = 3;
        PagedSequence[] forks = [.. Enumerable.Range(0, readers).Select(_ => origin.Fork())];
        ConcurrencyTests.RunAtOnce(4, caller =>
        {
            if (caller == 3)
            {
                for (int i = 0; Volatile.Read(ref readers) > 0; i++)
                {
                    origin.Append(tokens, tokens, 1 + i % 30);
                    origin.Truncate(20 + i % 40);
                }

                return;
            }

            var batch = new PagedBatch(pool);
            batch.Add(forks[caller]);
            float[] output = new float[16];
            for (int i = 0; i < Budget.Of(20000, 1000); i++)
            {
                batch.Attend(query, output, 1, 1);
                Compare.SameBits("A fork's output", expected, output);
            }

            Interlocked.Decrement(ref readers);
        });
    }

    [Fact]
    public static void A_pool_that_is_disposed_of_during_an_attention_keeps_its_memory_until_the_end()
    {
        for (int round = 0; round < Budget.Of(50, 5); round++)
        {
            var pool = new KeyValuePagePool(pageCount: 200, pageSize: 16, keyValueHeads: 1, headDim: 64);
            var sequence = new PagedSequence(pool);
            float[] tokens = new float[3000 * 64], query = new float[40 * 64];
            RandomData.FillNormal(tokens, new Random(round));
            sequence.Append(tokens, tokens, 3000);
            var batch = new PagedBatch(pool);
            batch.Add(sequence);
            float[] expected = new float[query.Length], output = new float[query.Length];
            batch.Attend(query, expected, 1, 40);
            using var started = new ManualResetEventSlim();
            int attentions = 0;
            ConcurrencyTests.RunAtOnce(2, caller =>
            {
                if (caller == 0)
                {
                    started.Wait();
                    pool.Dispose();
                    return;
                }

                try
                {
                    while (true)
                    {
                        batch.Attend(query, output, 1, 40);
                        Compare.SameBits("An output before the end", expected, output);
                        attentions++;
                        started.Set();
                    }
                }
                catch (ObjectDisposedException)
                {
                    Assert.True(attentions > 0);
                }
            });
        }
    }
}
