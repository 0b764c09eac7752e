using System;
using System.Linq;

using FastAttn.Benchmarks.Mixed;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class MixedTests
{
    private const int Heads = 4, KeyValueHeads = 2, Dim = 32;

    private static readonly MixedSequence[] Sequences = [new(5, 40), new(12, 17), new(1, 30), new(1, 200), new(1, 1)];

    [Theory]
    [InlineData(StoredElement.Float32)]
    [InlineData(StoredElement.BFloat16)]
    public void Every_part_is_the_attention_of_its_sequences(StoredElement element)
    {
        MixedBatch batch = Batch(element);
        var buffers = new AttentionBuffers(batch.QueryElements, 1);
        float[] expected = Expected(batch, buffers.Query.Span);

        // Rows of heads of five queries, twelve queries, and three of one query.
        AssertPart(MixedPart.Whole, 0, 20);
        AssertPart(MixedPart.Chunks, 0, 17);
        AssertPart(MixedPart.Tokens, 17, 20);
        AssertPart(MixedPart.OneByOne, 0, 20);

        void AssertPart(MixedPart part, int from, int to)
        {
            Action call = batch.Bind(part, InstructionSets.Default, buffers, threads: 2);
            buffers.Output.Span.Clear();
            call();
            for (int i = 0; i < expected.Length; i++)
                Assert.Equal(i / (Heads * Dim) >= from && i / (Heads * Dim) < to ? expected[i] : 0, buffers.Output.Span[i], 2e-6f);
        }
    }

    [Fact]
    public void Operations_and_bytes_of_parts_are_those_of_their_sequences()
    {
        MixedBatch batch = new(new MixedCache([new(2, 3), new(1, 4)], KeyValueHeads, Dim, StoredElement.BFloat16), Heads);

        // Two queries see 2 and 3 keys, one sees 4.
        Assert.Equal(4.0 * Dim * Heads * 5, batch.FlopsOf(MixedPart.Chunks));
        Assert.Equal(4.0 * Dim * Heads * 4, batch.FlopsOf(MixedPart.Tokens));
        Assert.Equal(4.0 * Dim * Heads * 9, batch.FlopsOf(MixedPart.Whole));
        Assert.Equal(4.0 * Dim * Heads * 9, batch.FlopsOf(MixedPart.OneByOne));
        Assert.Equal(2.0 * 2 * 4 * KeyValueHeads * Dim, new MixedRow("tokens", batch, MixedPart.Tokens, InstructionSets.Default).Reading!.Bytes);
        Assert.Null(new MixedRow("whole", batch, MixedPart.Whole, InstructionSets.Default).Reading);
    }

    [Fact]
    public void One_call_is_set_against_its_parts_and_single_calls_against_the_one()
    {
        QuickRow[] rows = [.. MixedSuite.Rows(InstructionSets.Default)];
        string isa = InstructionSets.Default.ToString();

        Assert.Equal(2 * 2 * 4, rows.Length);
        Assert.All(rows.Chunk(4), static part => Assert.Equal(part[2].Flops, part[0].Flops + part[1].Flops));
        Assert.Equal([$"cache mixed 32/8 d128 bfloat16, chunks {isa}", $"cache mixed 32/8 d128 bfloat16, tokens {isa}"], Row("cache mixed 32/8 d128 bfloat16").Baseline);
        Assert.Equal([$"cache mixed 8 d128 float32 {isa}"], Row("cache mixed 8 d128 float32, one by one").Baseline);

        QuickRow Row(string name) => rows.Single(row => row.Name == name);
    }

    private static MixedBatch Batch(StoredElement element) => new(new MixedCache(Sequences, KeyValueHeads, Dim, element), Heads);

    /// <summary>[T, H, D], by the formula in double over the numbers that the pages keep.</summary>
    private static float[] Expected(MixedBatch batch, ReadOnlySpan<float> query)
    {
        var output = new float[batch.QueryElements];
        PagedBatch pages = batch.Cache.Batch(..);
        int first = 0;
        for (int b = 0; b < Sequences.Length; b++)
        {
            (int queries, int keys) = (Sequences[b].Queries, Sequences[b].Keys);
            float[] key = new float[keys * KeyValueHeads * Dim], value = new float[key.Length];
            pages[b].CopyTo(0, keys, key, value);
            for (int h = 0; h < Heads; h++)
            {
                int own = h / (Heads / KeyValueHeads);
                var head = new LoneHead(Rows(query, first, queries, Heads, h), Rows(key, 0, keys, KeyValueHeads, own), Rows(value, 0, keys, KeyValueHeads, own), Dim)
                {
                    Offset = keys - queries,
                    Right = 0,
                };
                double[][] rows = head.Attend<double>().Output;
                for (int i = 0; i < queries; i++)
                    Array.ConvertAll(rows[i], static x => (float)x).CopyTo(output, ((first + i) * Heads + h) * Dim);
            }

            first += queries;
        }

        return output;
    }

    /// <summary>The rows of a head out of [tokens, heads, D].</summary>
    private static double[][] Rows(ReadOnlySpan<float> numbers, int first, int count, int heads, int head)
    {
        var rows = new double[count][];
        for (int i = 0; i < count; i++)
            rows[i] = Array.ConvertAll(numbers.Slice(((first + i) * heads + head) * Dim, Dim).ToArray(), static x => (double)x);
        return rows;
    }
}
