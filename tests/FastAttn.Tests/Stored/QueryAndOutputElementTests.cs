using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>
/// Queries of 16 bits are widened exactly, and outputs of 16 bits are rounded once: a call has the rounded bits of the output that it has with the floats that its
/// queries are.
/// </summary>
public static class QueryAndOutputElementTests
{
    private static readonly AttentionElement[] Elements = [AttentionElement.Float32, AttentionElement.Float16, AttentionElement.BFloat16];

    /// <summary>Elements of an output behind those that a call needs.</summary>
    private const int Behind = 5;

    /// <summary>Of queries and outputs.</summary>
    public static TheoryData<AttentionElement, AttentionElement> Pairs =>
        [.. Elements.SelectMany(static query => Elements.Select(output => (query, output))).Where(static pair => pair != (AttentionElement.Float32, AttentionElement.Float32))];

    [Theory]
    [MemberData(nameof(Pairs))]
    public static void A_call_has_the_rounded_bits_of_floats(AttentionElement query, AttentionElement output)
    {
        for (int seed = 0; seed < Budget.Of(40, 2); seed++)
        {
            var random = new Random(1000 * (int)query + 100 * (int)output + seed);
            Case call = FeatureCases.DrawCall(random);
            call = FeatureCases.Draw(random, call, FeatureCases.DrawFeatures(random, 0.3)) with { Threads = 1 + random.Next(2) };
            Check(call, query, output, Elements[random.Next(3)], Elements[random.Next(3)]);
        }
    }

    /// <summary>Sequences with fewer queries than others, one with none, and one without keys.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Padding_and_ragged_sequences_have_the_rounded_bits_of_floats(AttentionElement query, AttentionElement output)
    {
        foreach (int dim in new[] { 5, 48 })
        {
            var padded = new Case(dim, dim, AttentionMask.None, new(4, 4, 2, 20, 30)) { Output = RowPlacement.PaddedTokens, QueryLengths = [20, 3, 0, 17], KeyLengths = [30, 8, 9, 0], Seed = dim };
            Check(padded, query, output);
            Check(padded with { QueryLengths = null, KeyLengths = null, QueryStarts = [0, 20, 23, 23, 40], KeyStarts = [0, 30, 38, 47, 47] }, query, output);
        }
    }

    /// <summary>A split has 32 keys, and its state is kept in floats; two threads merge them.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Keys_that_are_split_have_the_rounded_bits_of_floats(AttentionElement query, AttentionElement output)
    {
        foreach (int queries in new[] { 1, 2 })
            Check(new Case(40, 24, AttentionMask.Causal, new(2, 6, 2, queries, 190)) { KeyBlock = 1, Threads = 2, Seed = queries }, query, output, AttentionElement.BFloat16);
    }

    /// <summary>Scales of channels multiply the output of few queries before it is rounded.</summary>
    [Theory]
    [InlineData(AttentionElement.Float16)]
    [InlineData(AttentionElement.BFloat16)]
    public static void Integers_in_the_cache_give_the_rounded_bits_of_floats(AttentionElement element)
    {
        foreach (StoredFormat format in Enum.GetValues<StoredFormat>())
        {
            foreach (int queries in new[] { 1, 50 })
            {
                var call = new Case(32, 64, AttentionMask.Causal, new(1, 4, 2, queries, 70)) { PositionOffset = 70 - queries, Seed = (int)format };
                Inputs inputs = Inputs.Normal(call);
                StoredBuffer keys = new(inputs.Key, call.KeyRows, format), values = new(inputs.Value, call.ValueRows, format);
                NumberBuffer query = new(inputs.Query, element);
                foreach (InstructionSet instructionSet in InstructionSets.Supported)
                {
                    AttentionKernel kernel = call.Kernel.For(instructionSet);
                    Outputs<float> expected = call.NewOutputs(), sums = call.NewOutputs();
                    NumberBuffer output = new(call.OutputRows.Elements, element);
                    kernel.Forward(query.Numbers, keys.Input, values.Input, call.OutputRows.Output(expected), call.GivenShape, call.Options, call.Execution);
                    kernel.Forward(query.Input(null), keys.Input, values.Input, output.Output(sums.LogSumExp, null), call.GivenShape, call.Options, call.Execution);
                    output.IsRounded($"{instructionSet}, {format}: {call}", expected.Output);
                    Compare.SameBits($"{instructionSet}, {format}: {call}", expected.LogSumExp, sums.LogSumExp);
                }
            }
        }
    }

    /// <summary>Pages of 16 tokens in any order, ragged queries: a prompt, two new tokens, none, and one.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Keys_in_pages_have_the_rounded_bits_of_floats(AttentionElement query, AttentionElement output)
    {
        const int Dim = 24, Heads = 4, KeyValueHeads = 2, PageSize = 16, Pages = 20;
        int[] starts = [0, 20, 22, 22, 23], keys = [40, 64, 5, 33], table = [7, 3, 9, 0, 1, 12, 4, 2, 5, 5, 5, 5, 19, 6, 11, 0];
        var random = new Random(1);
        float[] pages = new float[Pages * KeyValueHeads * PageSize * Dim], numbers = new float[starts[^1] * Heads * Dim];
        RandomData.FillNormal(pages, random);
        RandomData.FillNormal(numbers, random);
        var stored = new NumberBuffer(pages, AttentionElement.Float16);
        var queries = new NumberBuffer(numbers, query);
        AttentionOptions options = new() { QueryStarts = starts, KeyLengths = keys, KeyPages = new(table, PageSize) };
        AttentionShape shape = new(4, Heads, KeyValueHeads, 20, 64);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = ScaledDotProductAttention.GetKernel(Dim, AttentionMask.Causal, AttentionFeatures.All).For(instructionSet);
            float[] expected = new float[numbers.Length], expectedSums = new float[starts[^1] * Heads], sums = new float[expectedSums.Length];
            var actual = new NumberBuffer(numbers.Length + Behind, output);
            kernel.Forward(queries.Numbers, stored.Input(null), stored.Input(null), new AttentionOutput(expected, expectedSums), shape, options);
            kernel.Forward(queries.Input(null), stored.Input(null), stored.Input(null), actual.Output(sums, null), shape, options);
            actual.IsRounded($"{instructionSet}", expected);
            Assert.Equal(expectedSums, sums);
        }
    }

    /// <summary>A hidden NaN, by which a tile is computed a second time, and visible numbers that are not finite.</summary>
    [Theory]
    [InlineData(AttentionElement.Float16)]
    [InlineData(AttentionElement.BFloat16)]
    public static void Numbers_that_are_not_finite_reach_outputs_as_they_reach_floats(AttentionElement element)
    {
        foreach (int queries in new[] { 2, 50 })
        {
            var call = new Case(16, 16, AttentionMask.Causal, new(1, 2, 2, queries, 100)) { PositionOffset = 10 };
            Inputs inputs = Inputs.Normal(call);
            inputs.Value[3] = float.PositiveInfinity;
            inputs.Value[11 * 16 + 5] = float.NaN;
            inputs.Value.AsSpan(1600 - 16).Fill(float.NaN);
            inputs.Query[0] = float.NaN;
            Check(call, inputs, element, element);
        }
    }

    /// <summary>With one key the output is its value: ties go to the even number, and what rounds past the largest finite half or bfloat16 number is infinite.</summary>
    [Fact]
    public static void Outputs_worked_by_hand()
    {
        (float Value, float Half, float BFloat16)[] numbers =
        [
            (1, 1, 1), (-0.75f, -0.75f, -0.75f), (0, 0, 0),
            (2049, 2048, 2048), (2051, 2052, 2048), (2050.5f, 2050, 2048), (-2051, -2052, -2048),
            (257, 257, 256), (259, 259, 260), (257.25f, 257.25f, 258),
            (65519, 65504, 65536), (65520, float.PositiveInfinity, 65536), (-65520, float.NegativeInfinity, -65536),
            (3.3961775e38f, float.PositiveInfinity, float.PositiveInfinity),
            (MathF.ScaleB(1, -25), 0, MathF.ScaleB(1, -25)), (MathF.ScaleB(3, -25), MathF.ScaleB(1, -23), MathF.ScaleB(3, -25)),
            (float.NaN, float.NaN, float.NaN), (float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity),
        ];
        int dim = numbers.Length;
        float[] values = [.. numbers.Select(static number => number.Value)];
        foreach (int queries in new[] { 1, 30 })
        {
            Half[] halves = new Half[queries * dim];
            BFloat16[] bfloats = new BFloat16[queries * dim];
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                AttentionKernel kernel = ScaledDotProductAttention.GetKernel(1, valueDim: dim).For(instructionSet);
                kernel.Forward(new Half[queries], new float[1], values, halves, new AttentionShape(1, 1, 1, queries, 1));
                kernel.Forward(new BFloat16[queries], new float[1], values, bfloats.AsSpan(), new AttentionShape(1, 1, 1, queries, 1));
                for (int i = 0; i < halves.Length; i++)
                {
                    Assert.Equal(numbers[i % dim].Half, (float)halves[i]);
                    Assert.Equal(numbers[i % dim].BFloat16, (float)bfloats[i]);
                }
            }
        }
    }

    /// <summary>A query of 1/2 and keys of 0 and 2·ln 3: the weights are 1/4 and 3/4, and 4/4 + 3·8/4 = 7. The sum of weights is 4.</summary>
    [Fact]
    public static void Queries_worked_by_hand()
    {
        float[] keys = [0, 2 * MathF.Log(3)], values = [4, 8];
        foreach (int queries in new[] { 1, 30 })
        {
            Half[] query = [.. Enumerable.Repeat((Half)0.5, queries)], output = new Half[queries];
            BFloat16[] shortQuery = [.. Enumerable.Repeat((BFloat16)0.5f, queries)], shortOutput = new BFloat16[queries];
            var sums = new float[queries];
            var shape = new AttentionShape(1, 1, 1, queries, 2);
            ScaledDotProductAttention.Forward(query, keys, values, new AttentionOutput(shortOutput, sums), shape, headDim: 1, options: new() { Scale = 1 });
            ScaledDotProductAttention.Forward(shortQuery, keys, values, output, shape, headDim: 1, options: new() { Scale = 1 });
            Assert.All(output, static number => Assert.Equal(7, (float)number));
            Assert.All(shortOutput, static number => Assert.Equal(7, (float)number));
            Assert.All(sums, static sum => Assert.Equal(MathF.Log(4), sum, 1e-6f));
        }
    }

    [Fact]
    public static void Weights_scores_and_the_reference_read_queries_of_16_bits()
    {
        foreach (AttentionElement element in new[] { AttentionElement.Float16, AttentionElement.BFloat16 })
        {
            var call = new Case(24, 24, AttentionMask.Causal, new(2, 4, 2, 9, 33));
            Inputs inputs = Inputs.Normal(call);
            NumberBuffer query = new(inputs.Query, element);
            inputs = inputs with { Query = query.Numbers };
            double[] output = new double[call.OutputRows.Elements], scores = new double[2 * 4 * 9 * 33], expectedScores = new double[scores.Length];
            AttentionReference.Forward(query.Input(null), inputs.Key, inputs.Value, output.AsSpan(), call.Shape, 24, AttentionMask.Causal, call.Options);
            Assert.Equal(call.Reference(inputs).Output, output);
            AttentionReference.Scores(query.Input(null), inputs.Key, scores.AsSpan(), call.Shape, AttentionScoreStage.Probabilities, 24, AttentionMask.Causal, call.Options);
            call.Scores(inputs, expectedScores.AsSpan(), AttentionScoreStage.Probabilities);
            Assert.Equal(expectedScores, scores);
            float[] weights = new float[scores.Length], expectedWeights = new float[scores.Length];
            call.ComputeWeights(call.Kernel, inputs, expectedWeights);
            call.Kernel.ComputeWeights(query.Input(null), inputs.Key, weights, call.Shape, call.Options);
            Compare.SameBits($"{element}", expectedWeights, weights);
        }
    }

    [Fact]
    public static void Qkv_writes_outputs_of_16_bits()
    {
        var random = new Random(1);
        float[] qkv = new float[30 * 3 * 2 * 16], expected = new float[30 * 2 * 16];
        RandomData.FillNormal(qkv, random);
        var output = new NumberBuffer(expected.Length, AttentionElement.BFloat16);
        var shape = new AttentionShape(1, 2, 30);
        ScaledDotProductAttention.ForwardQkv(qkv, expected, shape, headDim: 16);
        ScaledDotProductAttention.ForwardQkv(qkv, output.Output(new float[60], null), shape, headDim: 16);
        output.IsRounded("QKV", expected);
    }

    [Fact]
    public static void An_output_says_what_it_is()
    {
        AttentionOutput floats = new float[3], halves = new Half[4], bfloats = new BFloat16[5], none = default, absent = (Half[]?)null;
        Assert.Equal((3, AttentionElement.Float32), (floats.Length, floats.Element));
        Assert.Equal((4, AttentionElement.Float16), (halves.Length, halves.Element));
        Assert.Equal((5, AttentionElement.BFloat16), (bfloats.Length, bfloats.Element));
        Assert.Equal((0, AttentionElement.Float32), (none.Length, none.Element));
        Assert.Equal((0, AttentionElement.Float16), (absent.Length, absent.Element));
        Assert.Equal(3, floats.Elements.Length);
        Assert.True(none.Elements.IsEmpty);
        Assert.Throws<InvalidOperationException>(static () => new AttentionOutput(new Half[4]).Elements.Length);
        Assert.Throws<InvalidOperationException>(static () => new AttentionOutput(new BFloat16[4], new float[1]).Elements.Length);
    }

    [Fact]
    public static void Arguments_that_do_not_fit_are_refused_and_nothing_is_written()
    {
        const int Dim = 32;
        float[] floats = new float[Dim], memory = [.. Enumerable.Repeat(Canary.Value, 2 * Dim)];
        var shape = new AttentionShape(1, 1, 1);
        Half[] halves = new Half[Dim];
        Refused("query", () => ScaledDotProductAttention.Forward(new AttentionInput(new sbyte[Dim], AttentionScales.PerToken(floats)), floats, floats, Halves(0, Dim), shape, Dim));
        Refused("query", () => ScaledDotProductAttention.Forward(AttentionInput.OfGroups(new byte[34], AttentionElement.Int8Group32), floats, floats, Halves(0, Dim), shape, Dim));
        Refused("query", () => ScaledDotProductAttention.Forward(AttentionInput.OfGroups(new byte[20], AttentionElement.Int4Group32), floats, floats, Floats(0, Dim), shape, Dim));
        Refused("query", () => ScaledDotProductAttention.Forward(new Half[Dim - 1], floats, floats, Halves(0, Dim), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(halves, floats, floats, Halves(0, Dim - 1), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(halves, floats, floats, BFloats(0, Dim - 1), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(Halves(Dim - 1, Dim), floats, floats, Halves(0, Dim), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(halves, Halves(Dim - 1, Dim), floats, BFloats(0, Dim), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(Floats(15, Dim), floats, floats, BFloats(0, Dim), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(floats, floats, floats, BFloats(0, Dim), shape, Dim, options: new() { AdditiveMask = Floats(15, 1) }));
        Refused("logSumExp", () => ScaledDotProductAttention.Forward(floats, floats, floats, new AttentionOutput(Halves(0, Dim), Floats(15, 1)), shape, Dim));
        Refused("logSumExp", () => ScaledDotProductAttention.Forward(Halves(2 * Dim, Dim), floats, floats, new AttentionOutput(Halves(0, Dim), Floats(Dim, 1)), shape, Dim));
        Refused("logSumExp", () => ScaledDotProductAttention.Forward(floats, floats, floats, new AttentionOutput(Halves(0, Dim), default(Span<float>)), shape, Dim));
        Refused("output", () => ScaledDotProductAttention.Forward(new float[2 * Dim], new float[2 * Dim], new float[2 * Dim], new AttentionOutput(Halves(0, 2 * Dim), new AttentionStrides(0, 0, Dim - 1)), new(1, 1, 2), Dim));
        Refused("this", () => new AttentionOutput(Halves(0, Dim), Floats(Dim, 1)).Merge(new AttentionOutput(floats, new float[1]), shape, Dim));
        Refused("other", () => new AttentionOutput(Floats(0, Dim), Floats(Dim, 1)).Merge(new AttentionOutput(new BFloat16[Dim], new float[1]), shape, Dim));
        Assert.All(memory, static number => Assert.True(Canary.Is(number)));

        // What begins where the output ends is apart.
        ScaledDotProductAttention.Forward(Halves(Dim, Dim), floats, floats, new AttentionOutput(BFloats(0, Dim), Floats(Dim, 1)), shape, Dim);
        Assert.False(Canary.Is(memory[0]));

        Span<float> Floats(int first, int count) => memory.AsSpan(first, count);

        Span<Half> Halves(int first, int count) => MemoryMarshal.Cast<float, Half>(memory.AsSpan()).Slice(first, count);

        Span<BFloat16> BFloats(int first, int count) => MemoryMarshal.Cast<float, BFloat16>(memory.AsSpan()).Slice(first, count);

        static void Refused(string parameter, Action call) => Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
    }

    private static void Check(Case call, AttentionElement query, AttentionElement output, AttentionElement key = default, AttentionElement value = default) =>
        Check(call, Inputs.Normal(call), query, output, key, value);

    private static void Check(Case call, Inputs inputs, AttentionElement query, AttentionElement output, AttentionElement key = default, AttentionElement value = default)
    {
        NumberBuffer queries = new(inputs.Query, query), keys = new(inputs.Key, key), values = new(inputs.Value, value);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            string what = $"{instructionSet}, {query} to {output}: {call}";
            AttentionKernel kernel = call.Kernel.For(instructionSet);
            Outputs<float> expected = (call with { Threads = 1 }).Run(kernel, new(queries.Numbers, keys.Numbers, values.Numbers)), sums = call.NewOutputs();
            NumberBuffer actual = new(call.OutputRows.Elements + Behind, output);
            kernel.Forward(
                queries.Input(call.QueryRows.Given), keys.Input(call.KeyRows.Given), values.Input(call.ValueRows.Given), actual.Output(sums.LogSumExp, call.OutputRows.Given), call.GivenShape, call.Options, call.Execution);
            actual.IsRounded(what, expected.Output);
            Compare.SameBits(what, expected.LogSumExp, sums.LogSumExp);
        }
    }
}
