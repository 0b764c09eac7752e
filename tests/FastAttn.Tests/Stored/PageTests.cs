using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>Keys and values in pages give the bits that they give one after the other.</summary>
public static class PageTests
{
    [Fact]
    public static void Pages_give_the_bits_of_rows_one_after_the_other()
    {
        for (int seed = 0; seed < Budget.Of(150, 20); seed++)
        {
            var random = new Random(seed);
            Case call = FeatureCases.DrawCall(random);
            AttentionFeatures features = FeatureCases.DrawFeatures(random, 0.3) & ~AttentionFeatures.Ragged;
            Check(FeatureCases.Draw(random, call, features), random, [1, 3, 5, 16, 40, 96, 192]);
        }
    }

    [Fact]
    public static void Long_caches_in_pages_give_the_bits_of_rows_one_after_the_other()
    {
        int[] lengths = Budget.IsSmall ? [17, 1600] : [17, 500, 1600, 3500];
        foreach (int keys in lengths)
        {
            foreach ((int queries, int dim, int group) in ((int, int, int)[])[(1, 64, 1), (1, 40, 5), (5, 24, 2), (60, 64, 1)])
            {
                var call = new Case(dim, dim, AttentionMask.Causal, new AttentionShape(2, 2 * group, 2, queries, keys)) { PositionOffset = keys - queries, Seed = keys };
                Check(call, new Random(keys), [16, 96, 100, 960]);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    public static void Ragged_queries_over_pages_are_each_sequence_as_if_alone(int longest)
    {
        const int Dim = 32, PageSize = 16, Heads = 4, KeyValueHeads = 2, Batch = 5;
        int[] queries = [longest, 1, 0, 3, longest / 2], keys = [100, 33, 20, 3, 64];
        var random = new Random(longest);
        float[] pool = Numbers(random, 40 * KeyValueHeads * PageSize * Dim), valuePool = Numbers(random, pool.Length);
        int[] free = [.. Enumerable.Range(0, 40)];
        random.Shuffle(free);
        const int PagesOfSequence = 8;
        int[] table = free[..(Batch * PagesOfSequence)], starts = new int[Batch + 1];
        for (int b = 0; b < Batch; b++)
            starts[b + 1] = starts[b] + queries[b];
        float[] query = Numbers(random, starts[^1] * Heads * Dim), output = new float[query.Length];

        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = ScaledDotProductAttention.GetKernel(Dim, AttentionMask.Causal, AttentionFeatures.All).For(instructionSet);
            AttentionStrides rows = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, KeyValueHeads, PageSize, Dim);
            kernel.Forward(
                query,
                new AttentionInput((ReadOnlySpan<float>)pool, rows),
                new AttentionInput((ReadOnlySpan<float>)valuePool, rows),
                output,
                new AttentionShape(Batch, Heads, KeyValueHeads, Math.Max(longest, 3), 100) { Layout = AttentionLayout.BatchLengthHeadDim },
                new() { QueryStarts = starts, KeyLengths = keys, KeyPages = new(table, PageSize) });

            for (int b = 0; b < Batch; b++)
            {
                float[] own = query[(starts[b] * Heads * Dim)..(starts[b + 1] * Heads * Dim)], alone = new float[own.Length];
                kernel.Forward(
                    own, Gather(pool, b), Gather(valuePool, b), alone, new AttentionShape(1, Heads, KeyValueHeads, queries[b], keys[b]) { Layout = AttentionLayout.BatchLengthHeadDim }, new() { PositionOffset = keys[b] - queries[b] });
                Assert.Equal(alone, output[(starts[b] * Heads * Dim)..(starts[b + 1] * Heads * Dim)]);
            }
        }

        // [L, H_kv, D]
        float[] Gather(float[] pages, int b) =>
            [.. Enumerable.Range(0, keys[b]).SelectMany(j => Enumerable.Range(0, KeyValueHeads).SelectMany(
                h => pages.Skip((table[b * PagesOfSequence + j / PageSize] * KeyValueHeads + h) * PageSize * Dim + j % PageSize * Dim).Take(Dim)))];
    }

    /// <summary>Two keys on a page of one token each: the weights of ln 3 and 0 are 3/4 and 1/4.</summary>
    [Fact]
    public static void A_call_worked_by_hand()
    {
        float[] keys = [9, 0, 9, MathF.Log(3)], values = [99, 8, 99, 4], output = new float[1];
        ScaledDotProductAttention.Forward(
            new float[] { 1 }, keys, values, output, new AttentionShape(1, 1, 1, 1, 2), headDim: 1, options: new() { Scale = 1, KeyPages = new([3, 1], 1) });
        Assert.Equal(0.75f * 4 + 0.25f * 8, output[0], 1e-6f);
    }

    [Fact]
    public static void Wrong_pages_are_refused()
    {
        Refuses("options", "KeyLengths", new() { KeyPages = new([0, -1], 2) });
        Refuses("options", "needed", new() { KeyPages = new([0], 2) });
        Refuses("options", "multiple", new() { KeyPages = new([0, 1, 2], 2) }, batch: 2);
        Refuses("key", "KeyPages give sequence 0 page 2: pages 3 × key-value heads ", new() { KeyPages = new([0, 2], 2) });
        Refuses("options", "KeyStarts", new() { KeyPages = new([0, 1], 2), KeyStarts = [0, 4], QueryStarts = [0, 1] });
        Assert.Throws<ArgumentOutOfRangeException>(static () => new AttentionPages([], 0));

        static void Refuses(string parameter, string word, in AttentionOptions options, int batch = 1)
        {
            float[] output = [7, 7];
            try
            {
                ScaledDotProductAttention.Forward(new float[2], new float[4], new float[4], output, new AttentionShape(batch, 1, 1, 1, 4), headDim: 1, options: options);
                Assert.Fail("Not refused.");
            }
            catch (ArgumentException e)
            {
                Assert.Equal(parameter, e.ParamName);
                Assert.Contains(word, e.Message, StringComparison.Ordinal);
            }

            Assert.Equal([7, 7], output);
        }
    }

    /// <summary>Nothing is done for each of 2³¹ sequences before the call is refused, which would take seconds.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 4)]
    [InlineData(1, 0)]
    [InlineData(1, 4)]
    [InlineData(3, 1)]
    public static void A_batch_that_no_table_is_of_is_refused(int pages, int keyLength)
    {
        AttentionShape shape = new(int.MaxValue, 1, 1, 1, keyLength);
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(
            () => ScaledDotProductAttention.Forward(new float[2], new float[4], new float[4], new float[2], shape, headDim: 1, options: new() { KeyPages = new(new int[pages], 2) }));
        Assert.Equal(pages == 0 && keyLength == 0 ? "query" : "options", error.ParamName);
    }

    [Fact]
    public static void Pages_after_the_last_that_has_keys_are_not_read()
    {
        float[] keys = [1, 2], values = [3, 4], output = new float[2];
        ScaledDotProductAttention.Forward(
            new float[2], keys, values, output, new AttentionShape(2, 1, 1, 1, 2), headDim: 1, options: new() { KeyLengths = [1, 0], KeyPages = new([1, -1, int.MaxValue, -5], 1) });
        Assert.Equal([4, 0], output);
    }

    private static void Check(Case call, Random random, int[] pageSizes)
    {
        Inputs inputs = Inputs.Normal(call);
        int pageSize = pageSizes[random.Next(pageSizes.Length)], used = (call.Shape.KeyLength + pageSize - 1) / pageSize, pageCount = call.Shape.Batch * used + 2;
        int[] order = [.. Enumerable.Range(0, pageCount)];
        random.Shuffle(order);
        int[] table = order[..(call.Shape.Batch * used)];
        Rows keyRows = Rows.Of(call.Key, call.Layout, pageCount, call.Shape.KeyValueHeads, pageSize, call.HeadDim), valueRows = Rows.Of(call.Value, call.Layout, pageCount, call.Shape.KeyValueHeads, pageSize, call.ValueDim);
        if (call.Key == RowPlacement.Repeated || call.Value == RowPlacement.Repeated)
            return; // All sequences have the same rows, so that pages would too.
        float[] keys = Paged(inputs.Key, call.KeyRows, keyRows), values = Paged(inputs.Value, call.ValueRows, valueRows);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = call.Kernel.For(instructionSet);
            Outputs<float> outputs = call.NewOutputs();
            AttentionOptions given = call.Options;
            AttentionOptions options = new()
            {
                Scale = given.Scale,
                Softcap = given.Softcap,
                Window = given.Window,
                PositionOffset = given.PositionOffset,
                PositionOffsets = given.PositionOffsets,
                KeyPart = given.KeyPart,
                KeyLengths = given.KeyLengths,
                QueryLengths = given.QueryLengths,
                AdditiveMask = given.AdditiveMask,
                BooleanMask = given.BooleanMask,
                BitMask = given.BitMask,
                AlibiSlopes = given.AlibiSlopes,
                Sinks = given.Sinks,
                KeyPages = new(table, pageSize),
            };
            kernel.Forward(call.QueryRows.Input(inputs.Query), keyRows.Input(keys), valueRows.Input(values), call.OutputRows.Output(outputs), call.GivenShape, options, call.Execution);
            Compare.SameBits($"{instructionSet}, pages of {pageSize}: {call}", call.Run(kernel, inputs), outputs);
        }

        // What no key stands in is NaN.
        float[] Paged(float[] buffer, Rows rows, Rows pages)
        {
            var paged = new float[pages.Elements];
            Array.Fill(paged, float.NaN);
            for (int b = 0; b < rows.Batch; b++)
            {
                for (int h = 0; h < rows.Heads; h++)
                {
                    for (int j = 0; j < rows.Length; j++)
                        buffer.AsSpan(rows.Start(b, h, j), rows.Dim).CopyTo(paged.AsSpan(pages.Start(table[b * used + j / pageSize], h, j % pageSize)));
                }
            }

            return paged;
        }
    }

    private static float[] Numbers(Random random, int count) => Array.ConvertAll(new float[count], _ => random.NextSingle() * 4 - 2);
}
