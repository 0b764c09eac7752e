using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>Keys and values that are kept in 16 bits are widened exactly: a call has the bits that it has with the floats that they are.</summary>
public static class StoredElementTests
{
    public static TheoryData<AttentionElement, AttentionElement> Pairs =>
        [.. Elements.SelectMany(static key => Elements.Select(value => (key, value)))];

    private static AttentionElement[] Elements => [AttentionElement.Float32, AttentionElement.Float16, AttentionElement.BFloat16];

    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Stored_keys_and_values_give_the_bits_of_the_floats_that_they_are(AttentionElement key, AttentionElement value)
    {
        for (int seed = 0; seed < Budget.Of(40, 6); seed++)
        {
            var random = new Random(seed);
            Case call = FeatureCases.DrawCall(random);
            Check(FeatureCases.Draw(random, call, FeatureCases.DrawFeatures(random, 0.3)), key, value);
        }
    }

    /// <summary>One key block, parts of a block, many blocks and many parts, with one query, some, and many; heads of several groups.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public static void Long_caches_give_the_bits_of_the_floats_that_they_are(AttentionElement key, AttentionElement value)
    {
        int[] lengths = Budget.IsSmall ? [17, 500] : [17, 500, 1600, 3500];
        foreach (int keys in lengths)
        {
            foreach ((int queries, int dim, int heads) in ((int, int, int)[])[(1, 64, 1), (1, 40, 5), (5, 24, 2), (7, 128, 1), (60, 33, 1)])
            {
                Check(new Case(dim, dim, AttentionMask.Causal, new AttentionShape(1, heads, 1, queries, keys)) { PositionOffset = keys - queries, Seed = keys }, key, value);
            }
        }
    }

    [Theory]
    [InlineData(AttentionElement.Float16)]
    [InlineData(AttentionElement.BFloat16)]
    public static void Hidden_numbers_that_are_not_finite_do_not_reach_an_output(AttentionElement element)
    {
        foreach (int queries in new[] { 2, 50 })
        {
            var call = new Case(16, 16, AttentionMask.Causal, new AttentionShape(1, 1, 1, queries, 100)) { PositionOffset = 0 };
            Inputs inputs = Inputs.Normal(call);
            for (int i = queries * 16; i < inputs.Key.Length; i++)
            {
                inputs.Key[i] = float.NaN;
                inputs.Value[i] = i % 2 == 0 ? float.PositiveInfinity : float.NaN;
            }

            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                Outputs<float> outputs = Run(call, call.Kernel.For(instructionSet), Rounded(inputs, element, element), element, element);
                Assert.All(outputs.Output, static number => Assert.True(float.IsFinite(number)));
            }
        }
    }

    [Fact]
    public static void Visible_infinity_and_nan_of_halves_reach_the_output_as_those_of_floats()
    {
        foreach (int queries in new[] { 1, 50 })
        {
            var call = new Case(32, 32, AttentionMask.None, new AttentionShape(1, 1, 1, queries, 60));
            Inputs inputs = Rounded(Inputs.Normal(call), AttentionElement.Float16, AttentionElement.Float16);
            inputs.Value[3] = float.PositiveInfinity;
            inputs.Value[40 * 32 + 5] = float.NaN;
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                Outputs<float> outputs = Run(call, call.Kernel.For(instructionSet), inputs, AttentionElement.Float16, AttentionElement.Float16);
                for (int i = 0; i < outputs.Output.Length; i++)
                    Assert.Equal(i % 32 is 3 or 5, !float.IsFinite(outputs.Output[i]));
            }
        }
    }

    [Fact]
    public static void Reference_reads_stored_elements()
    {
        var call = new Case(24, 24, AttentionMask.Causal, new AttentionShape(2, 4, 2, 9, 33));
        Inputs inputs = Rounded(Inputs.Normal(call), AttentionElement.Float16, AttentionElement.BFloat16);
        Outputs<double> expected = call.Reference(inputs);
        var output = new double[expected.Output.Length];
        AttentionReference.Forward(inputs.Query, Halves(inputs.Key), BFloats(inputs.Value), output.AsSpan(), call.Shape, 24, AttentionMask.Causal, call.Options);
        Assert.Equal(expected.Output, output);
    }

    [Fact]
    public static void Stored_keys_that_overlap_the_output_are_refused()
    {
        var output = new float[64];
        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => ScaledDotProductAttention.Forward(new float[64], MemoryMarshal.Cast<float, Half>(output), new float[64], output, new AttentionShape(1, 1, 1), headDim: 64));
        Assert.Equal("output", exception.ParamName);
    }

    [Fact]
    public static void Stored_keys_that_are_too_few_are_refused()
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => ScaledDotProductAttention.Forward(new float[64], new Half[63], new float[64], new float[64], new AttentionShape(1, 1, 1), headDim: 64));
        Assert.Equal("key", exception.ParamName);
    }

    /// <summary>
    /// Halves of every kind, and queries of every size, by stretches of tokens: normal numbers alone, subnormal ones and zeros among them, and the largest. The kinds follow one another, so
    /// that what is done once for some rows ends where they end.
    /// </summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(1, 9)]
    public static void Halves_of_every_kind_give_the_bits_of_the_floats_that_they_are(int heads, int queries)
    {
        const int Dim = 48, Keys = 256;
        foreach (float size in Budget.IsSmall ? [1, 40_000] : new[] { 1, 0.01f, 1e-40f, 40_000, 1e30f })
        {
            var call = new Case(Dim, Dim, AttentionMask.Causal, new AttentionShape(1, heads, 1, queries, Keys)) { PositionOffset = Keys - queries };
            Inputs inputs = Inputs.Normal(call);
            for (int i = 0; i < inputs.Query.Length; i++)
                inputs.Query[i] *= i / Dim % 2 == 0 ? size : 1;
            foreach (float[] rows in new[] { inputs.Key, inputs.Value })
            {
                for (int i = 0; i < rows.Length; i++)
                {
                    float number = rows[i] + MathF.CopySign(0.001f, rows[i]);
                    int kind = i / Dim / 24 % 5;
                    rows[i] = (kind, i % 7) switch
                    {
                        (1, 3) => number * 1e-5f,
                        (2, 3) => i % 2 == 0 ? 0f : -0f,
                        (3, _) => number * 1e-4f,
                        (4, 3) => MathF.CopySign(65504, number),
                        _ => number,
                    };
                }
            }

            Check(call, inputs, AttentionElement.Float16, AttentionElement.Float16);
        }
    }

    private static void Check(Case call, AttentionElement key, AttentionElement value) => Check(call, Inputs.Normal(call), key, value);

    private static void Check(Case call, Inputs inputs, AttentionElement key, AttentionElement value)
    {
        inputs = Rounded(inputs, key, value);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = call.Kernel.For(instructionSet);
            Compare.SameBits($"{instructionSet}, {key} and {value}: {call}", call.Run(kernel, inputs), Run(call, kernel, inputs, key, value));
        }
    }

    private static Outputs<float> Run(Case call, AttentionKernel kernel, Inputs inputs, AttentionElement key, AttentionElement value)
    {
        Outputs<float> outputs = call.NewOutputs();
        kernel.Forward(
            call.QueryRows.Input(inputs.Query), Input(call.KeyRows, inputs.Key, key), Input(call.ValueRows, inputs.Value, value), call.OutputRows.Output(outputs), call.GivenShape, call.Options, call.Execution);
        return outputs;
    }

    private static AttentionInput Input(Rows rows, float[] floats, AttentionElement element) => element switch
    {
        AttentionElement.Float16 => new(Halves(floats), rows.Given),
        AttentionElement.BFloat16 => new(BFloats(floats), rows.Given),
        _ => rows.Input(floats),
    };

    private static Inputs Rounded(Inputs inputs, AttentionElement key, AttentionElement value) => inputs with { Key = Rounded(inputs.Key, key), Value = Rounded(inputs.Value, value) };

    private static float[] Rounded(float[] floats, AttentionElement element) => element switch
    {
        AttentionElement.Float16 => [.. Halves(floats).ToArray().Select(static number => (float)number)],
        AttentionElement.BFloat16 => [.. BFloats(floats).ToArray().Select(static number => (float)number)],
        _ => floats,
    };

    private static ReadOnlySpan<Half> Halves(float[] floats) => Array.ConvertAll(floats, static number => (Half)number);

    private static ReadOnlySpan<BFloat16> BFloats(float[] floats) => Array.ConvertAll(floats, static number => (BFloat16)number);
}
