using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>Keys and values that are kept as integers with scales: a call computes the formula over the numbers that these say.</summary>
public static class IntegerTests
{
    // The first five have each format on each side: they are all for a small budget.
    private static readonly (StoredFormat Key, StoredFormat Value)[] All =
    [
        (StoredFormat.Int8PerChannel, StoredFormat.Int8PerToken),
        (StoredFormat.Int8PerToken, StoredFormat.Int8PerChannel),
        (StoredFormat.Int8Groups, StoredFormat.Int4Groups),
        (StoredFormat.Int4Groups, StoredFormat.Int8Groups),
        (StoredFormat.Int4PerChannel, StoredFormat.Int4PerChannel),
        (StoredFormat.Int8PerToken, StoredFormat.Int8PerToken),
        (StoredFormat.Int8PerChannel, StoredFormat.Int8PerChannel),
        (StoredFormat.Int8PerChannel, StoredFormat.Int4Groups),
        (StoredFormat.Half, StoredFormat.Int8PerToken),
        (StoredFormat.Int4PerChannel, StoredFormat.Int4Groups),
    ];

    public static TheoryData<StoredFormat, StoredFormat> Pairs => [.. All.Take(Budget.Of(All.Length, 5))];

    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Calls_are_the_formula_over_the_numbers_that_integers_and_scales_say(StoredFormat key, StoredFormat value)
    {
        for (int seed = 0; seed < Budget.Of(40, 5); seed++)
        {
            var random = new Random(seed);
            Case call = FeatureCases.Draw(random, Fitting(FeatureCases.DrawCall(random), random, key, value), FeatureCases.DrawFeatures(random, 0.2));
            Check(key == StoredFormat.Int4PerChannel ? WithStartsOfGroups(call) : call, key, value);
        }
    }

    /// <summary>One key block, parts of a block, many blocks; one query, some, and more than one register tile takes; heads of several groups.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Long_caches_are_the_formula_over_the_numbers_that_integers_and_scales_say(StoredFormat key, StoredFormat value)
    {
        int[] lengths = Budget.IsSmall ? [17, 200] : [17, 500, 1600, 3500];
        foreach (int keys in lengths)
        {
            foreach ((int queries, int dim, int heads) in ((int, int, int)[])[(1, 64, 1), (1, 96, 5), (7, 128, 1), (60, 32, 1)])
                Check(new Case(dim, dim, AttentionMask.Causal, new AttentionShape(1, heads, 1, queries, keys)) { PositionOffset = keys - queries, Seed = keys }, key, value);
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Pages_give_the_bits_of_rows_one_after_the_other(StoredFormat key, StoredFormat value)
    {
        const int Batch = 2, Heads = 2, Keys = 230, PagesOfSequence = 5, Dim = 64;
        int pageSize = key == StoredFormat.Int4PerChannel ? 64 : 48;
        int[] table = [3, 9, 0, 5, 2, 8, 1, 4, 7, 6];
        foreach (int queries in new[] { 1, 6, 40 })
        {
            var call = new Case(Dim, Dim, AttentionMask.Causal, new AttentionShape(Batch, 2 * Heads, Heads, queries, Keys)) { PositionOffset = Keys - queries };
            Inputs inputs = Inputs.Normal(call);
            Rows pages = Rows.Of(RowPlacement.OfLayout, AttentionLayout.BatchHeadLengthDim, Batch * PagesOfSequence, Heads, pageSize, Dim);
            StoredBuffer keys = new(inputs.Key, call.KeyRows, key), values = new(inputs.Value, call.ValueRows, value);
            StoredBuffer pagedKeys = keys.InPages(pages, table, pageSize), pagedValues = values.InPages(pages, table, pageSize);
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                AttentionKernel kernel = call.Kernel.For(instructionSet);
                Outputs<float> expected = call.NewOutputs(), actual = call.NewOutputs();
                kernel.Forward(inputs.Query, keys.Input, values.Input, call.OutputRows.Output(expected), call.GivenShape, new() { PositionOffset = Keys - queries });
                kernel.Forward(inputs.Query, pagedKeys.Input, pagedValues.Input, call.OutputRows.Output(actual), call.GivenShape, new() { PositionOffset = Keys - queries, KeyPages = new(table, pageSize) });
                Compare.SameBits($"{instructionSet}, {queries} queries", expected, actual);
            }
        }
    }

    /// <summary>Weights 3/4 and 1/4 (ln 3 and 0), values 0.5·8 and 0.25·−4.</summary>
    [Fact]
    public static void A_call_worked_by_hand()
    {
        float[] output = new float[1];
        ScaledDotProductAttention.Forward(
            new float[] { 1 },
            new AttentionInput([10, 0], AttentionScales.PerChannel([MathF.Log(3) / 10])),
            new AttentionInput([8, -4], AttentionScales.PerToken([0.5f, 0.25f])),
            output,
            new AttentionShape(1, 1, 1, 1, 2),
            headDim: 1,
            options: new() { Scale = 1 });
        Assert.Equal(0.75f * 4 + 0.25f * -1, output[0], 1e-6f);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(50)]
    public static void Scales_of_hidden_tokens_do_not_reach_an_output(int queries)
    {
        const int Dim = 16, Keys = 100;
        var random = new Random(queries);
        var query = new float[queries * Dim];
        RandomData.FillNormal(query, random, 1);
        var integers = new sbyte[Keys * Dim];
        random.NextBytes(MemoryMarshal.AsBytes(integers.AsSpan()));
        float[] scales = [.. Enumerable.Range(0, Keys).Select(j => j < queries ? 0.01f : j % 2 == 0 ? float.NaN : float.PositiveInfinity)], alone = [.. scales[..queries]];
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = ScaledDotProductAttention.GetKernel(Dim, AttentionMask.Causal).For(instructionSet);
            float[] output = new float[query.Length], expected = new float[query.Length];
            Attend(Keys, integers, scales, output);
            Attend(queries, integers.AsSpan(0, queries * Dim), alone, expected);
            for (int i = 0; i < output.Length; i++)
                Assert.Equal(expected[i], output[i], 1e-5f);

            void Attend(int keys, ReadOnlySpan<sbyte> elements, float[] scales, float[] output) => kernel.Forward(
                query, new AttentionInput(elements, AttentionScales.PerToken(scales)), new AttentionInput(elements, AttentionScales.PerToken(scales)), output, new AttentionShape(1, 1, 1, queries, keys), new() { PositionOffset = 0 });
        }
    }

    /// <summary>A group of two heads and one value that is NaN, hidden from the second head alone by a mask, or from the first token by its position.</summary>
    /// <param name="isMasked">Whether a mask hides it.</param>
    /// <param name="keys">Keys: one block, or splits.</param>
    /// <param name="scale">The scale of the value.</param>
    [Theory]
    [InlineData(false, 40, float.NaN)]
    [InlineData(false, 40, float.PositiveInfinity)]
    [InlineData(true, 40, float.NaN)]
    [InlineData(true, 40, float.NegativeInfinity)]
    [InlineData(false, 3100, float.NaN)]
    [InlineData(true, 3100, float.NaN)]
    public static void A_scale_that_others_see_changes_no_bit_of_a_query(bool isMasked, int keys, float scale)
    {
        const int Dim = 20, Queries = 2, Heads = 2;
        int hidden = isMasked ? keys / 2 : keys - 1;
        var random = new Random(keys);
        float[] query = new float[Heads * Queries * Dim], key = new float[keys * Dim];
        RandomData.FillNormal(query, random, 1);
        RandomData.FillNormal(key, random, 1);
        var integers = new sbyte[keys * Dim];
        random.NextBytes(MemoryMarshal.AsBytes(integers.AsSpan()));
        float[] scales = [.. Enumerable.Range(0, keys).Select(_ => 0.01f + random.NextSingle())], poisoned = [.. scales];
        poisoned[hidden] = scale;
        bool[] mask = Masks.Of(Heads, 1, keys, (h, _, j) => !isMasked || h == 0 || j != hidden);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = ScaledDotProductAttention.GetKernel(Dim, AttentionMask.Causal, AttentionFeatures.BooleanMask).For(instructionSet);
            float[] expected = Attend(scales), actual = Attend(poisoned);
            for (int h = 0; h < Heads; h++)
            {
                for (int i = 0; i < Queries; i++)
                {
                    bool isHidden = isMasked ? h == 1 : i == 0;
                    Span<float> row = actual.AsSpan((h * Queries + i) * Dim, Dim);
                    if (isHidden)
                        Compare.SameBits($"{instructionSet}, head {h}, query {i}", expected.AsSpan((h * Queries + i) * Dim, Dim).ToArray(), row.ToArray());
                    else
                        Assert.All(row.ToArray(), static number => Assert.False(float.IsFinite(number)));
                }
            }

            float[] Attend(float[] scales)
            {
                var output = new float[query.Length];
                kernel.Forward(
                    query, key, new AttentionInput(integers, AttentionScales.PerToken(scales)), output, new AttentionShape(1, Heads, 1, Queries, keys), new() { BooleanMask = new(mask, new(1, Heads, 1, keys)) });
                return output;
            }
        }
    }

    /// <summary>One query has the head dimension in lanes, 50 have themselves there.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    public static void A_query_without_keys_has_zeros_whatever_the_scales_of_channels(int queries)
    {
        const int Dim = 18;
        float[] scales = [.. Enumerable.Range(0, Dim).Select(static c => c % 2 == 0 ? float.NaN : float.PositiveInfinity)];
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach (float sink in new[] { float.NegativeInfinity, 1 })
            {
                float[] output = new float[queries * Dim];
                Array.Fill(output, 7);
                ScaledDotProductAttention.GetKernel(Dim, AttentionMask.None, AttentionFeatures.All).For(instructionSet).Forward(
                    new float[output.Length],
                    new float[3 * Dim],
                    new AttentionInput(new sbyte[3 * Dim], AttentionScales.PerChannel(scales)),
                    output,
                    new AttentionShape(1, 1, 1, queries, 3),
                    new() { KeyLengths = [0], QueryLengths = [queries], Sinks = [sink] });
                Assert.All(output, static number => Assert.Equal(0, number));
            }
        }
    }

    [Fact]
    public static void Wrong_scales_and_groups_are_refused()
    {
        var elements = new sbyte[64];
        Refuses("key", "scales", static (elements, scales, output) => Forward(new AttentionInput(elements, AttentionScales.PerToken(scales.AsSpan(0, 1))), new float[64], output));
        Refuses("key", "scales", static (elements, scales, output) => Forward(new AttentionInput(elements, AttentionScales.PerChannel(scales.AsSpan(0, 31))), new float[64], output));
        Refuses("key", "scales", static (elements, _, output) => Forward(new AttentionInput(elements, default), new float[64], output));
        Refuses("key", "strides", static (elements, scales, output) => Forward(new AttentionInput(elements, AttentionScales.PerToken(scales), new AttentionStrides(64, 64, 32)), new float[64], output));
        Refuses("value", "scales", static (elements, scales, output) => Forward(new float[64], new AttentionInput(elements, AttentionScales.PerToken(scales.AsSpan(0, 1))), output));
        Refuses("output", "scales", static (elements, _, output) => Forward(new float[64], new AttentionInput(elements, AttentionScales.PerChannel(output)), output));
        Refuses("key", "elements", static (_, _, output) => Forward(AttentionInput.OfGroups(new byte[67], AttentionElement.Int8Group32), new float[64], output));
        Refuses("key", "multiples", static (_, _, output) => Forward(AttentionInput.OfGroups(new byte[340], AttentionElement.Int8Group32, new AttentionStrides(64, 64, 33)), new float[64], output));
        Refuses("key", "bytes", static (_, _, output) => Forward(AttentionInput.OfGroups(new byte[68], AttentionElement.Int8Group32, new AttentionStrides(68, 68, 34)), new float[64], output));
        Refuses("key", "multiple", static (_, _, output) => ScaledDotProductAttention.Forward(
            new float[16], AttentionInput.OfGroups(new byte[340], AttentionElement.Int4Group32), new float[16], output, new AttentionShape(1, 1, 1), headDim: 16));
        Refuses("query", "not taken", static (elements, scales, output) => ScaledDotProductAttention.Forward(
            new AttentionInput(elements, AttentionScales.PerToken(scales)), new float[32], new float[32], output, new AttentionShape(1, 1, 1), headDim: 32));
        Assert.Throws<ArgumentOutOfRangeException>(static () => AttentionInput.OfGroups([], AttentionElement.Int8));

        void Refuses(string parameter, string word, Action<sbyte[], float[], float[]> call)
        {
            float[] output = new float[32];
            Array.Fill(output, 7);
            ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => call(elements, new float[32], output));
            Assert.Equal(parameter, error.ParamName);
            Assert.Contains(word, error.Message, StringComparison.Ordinal);
            Assert.All(output, static number => Assert.Equal(7, number));
        }

        static void Forward(AttentionInput key, AttentionInput value, float[] output) => ScaledDotProductAttention.Forward(new float[32], key, value, output, new AttentionShape(1, 1, 1, 1, 2), headDim: 32);
    }

    /// <summary>Groups have 32 elements, and so have strides.</summary>
    private static Case Fitting(Case call, Random random, StoredFormat key, StoredFormat value)
    {
        bool hasGroups = IsInGroups(key) || IsInGroups(value);
        return !hasGroups ? call : call with
        {
            HeadDim = 32 * (1 + random.Next(4)),
            ValueDim = 32 * (1 + random.Next(4)),
            Key = random.Next(2) == 0 ? RowPlacement.OfLayout : RowPlacement.HeadsOutermost,
            Value = random.Next(2) == 0 ? RowPlacement.OfLayout : RowPlacement.RepeatedHeads,
        };

        static bool IsInGroups(StoredFormat format) => format is StoredFormat.Int8Groups or StoredFormat.Int4Groups or StoredFormat.Int4PerChannel;
    }

    /// <summary>Sequences of a ragged batch, all but the last, have multiples of 32 keys.</summary>
    private static Case WithStartsOfGroups(Case call)
    {
        if (call.KeyStarts is not { } starts)
            return call;
        int[] rounded = [.. starts];
        for (int b = 1; b < starts.Length; b++)
            rounded[b] = rounded[b - 1] + (starts[b] - starts[b - 1]) / (b == starts.Length - 1 ? 1 : 32) * (b == starts.Length - 1 ? 1 : 32);
        return call with { KeyStarts = rounded };
    }

    private static void Check(Case call, StoredFormat key, StoredFormat value)
    {
        Inputs given = Inputs.Normal(call);
        StoredBuffer keys = new(given.Key, call.KeyRows, key), values = new(given.Value, call.ValueRows, value);
        Inputs inputs = given with { Key = keys.Numbers, Value = values.Numbers };
        Outputs<double> exact = call.Exact(inputs);
        Difference naive = Difference.Between(call, exact, call.Naive(inputs));
        double floor = 2 * Math.Sqrt(Math.Max(1, call.HeadDim / 64.0)) / (1 << 20), floorOfBiases = exact.LogSumExp.Where(double.IsFinite).Select(static sum => Math.Max(0, Math.Abs(sum) - 8)).DefaultIfEmpty().Max() / (1 << 24);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            Outputs<float> actual = call.NewOutputs();
            call.Kernel.For(instructionSet).Forward(call.QueryRows.Input(inputs.Query), keys.Input, values.Input, call.OutputRows.Output(actual), call.GivenShape, call.Options, call.Execution);
            Difference difference = Difference.Between(call, exact, actual);
            Assert.True(
                difference.Output <= 2 * naive.Output + floor + floorOfBiases && difference.LogSumExp <= 2 * naive.LogSumExp + floor + floorOfBiases,
                $"{instructionSet}, {key} and {value}: {call}:{difference.Where} float32 in three passes is off by {naive.Output:G3} and {naive.LogSumExp:G3}.");
        }

        var reference = new double[call.OutputRows.Elements];
        AttentionReference.Forward(
            call.QueryRows.Input(inputs.Query), keys.Input, values.Input, reference.AsSpan(), call.GivenShape, call.HeadDim, call.Mask, call.Options, valueDim: call.ValueDim, outputStrides: call.OutputRows.Given);
        Assert.Equal(call.Reference(inputs).Output, reference);
    }
}
