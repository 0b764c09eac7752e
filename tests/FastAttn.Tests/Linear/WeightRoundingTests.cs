using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>How floats are rounded to what a layer keeps. A layer without a bias shows its weights where its inputs are the rows of an identity matrix.</summary>
public static class WeightRoundingTests
{
    private const int Inputs = 40, Outputs = 70;

    [Fact]
    public static void Integers_are_within_half_a_scale_of_the_weights_and_symmetric()
    {
        // From huge columns to such of subnormal numbers, one of zeros, one whose scale would be 0, and one whose scale is the least float.
        float[] weights = Tokens.Normal(Inputs * Outputs);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = (i % Outputs) switch
            {
                0 => weights[i] * 1e36f,
                1 => weights[i] * 1e-36f,
                2 => weights[i] * 1e-42f,
                3 => 0,
                4 => i / Outputs == 7 ? -float.Epsilon : 0,
                5 => i / Outputs * 4 * float.Epsilon,
                _ => weights[i],
            };
        float[] kept = Kept(weights, WeightPrecision.Int8);
        for (int n = 0; n < Outputs; n++)
        {
            double max = Enumerable.Range(0, Inputs).Max(k => Math.Abs((double)weights[k * Outputs + n]));

            // A quotient is rounded by half an ulp; below the normal numbers by half the least float, or up by one and a half where it would be too small.
            double scale = max / 127, slack = scale / (1 << 24) + 1.5 * float.Epsilon;
            for (int k = 0; k < Inputs; k++)
            {
                // The product of integer and scale is rounded too: 2^-24 of at most 127 scales.
                double error = Math.Abs(kept[k * Outputs + n] - (double)weights[k * Outputs + n]);
                Assert.True(error <= scale / 2 + 127 * slack, $"Weight {weights[k * Outputs + n]} of output {n} became {kept[k * Outputs + n]}; the scale is {scale}.");
                if (scale > 1e-30)
                    Assert.InRange(Math.Abs(kept[k * Outputs + n] / scale - Math.Round(kept[k * Outputs + n] / scale)), 0, 127 * 3.0 / (1 << 24));
            }
        }

        Assert.Equal(-float.Epsilon, kept[7 * Outputs + 4]);
    }

    [Fact]
    public static void Integer_that_is_halfway_is_rounded_to_the_even_one()
    {
        float[] weights = new float[Inputs * Outputs];

        // A scale of 1: the weights themselves.
        (float Weight, float Expected)[] cases = [(127, 127), (0.5f, 0), (1.5f, 2), (2.5f, 2), (-0.5f, 0), (-1.5f, -2), (126.5f, 126), (3.4f, 3)];
        for (int k = 0; k < cases.Length; k++)
            weights[k * Outputs] = cases[k].Weight;
        float[] kept = Kept(weights, WeightPrecision.Int8);
        Assert.Equal([.. cases.Select(static c => c.Expected)], [.. Enumerable.Range(0, cases.Length).Select(k => kept[k * Outputs])]);
    }

    [Theory]
    [InlineData(WeightPrecision.Int8, float.NaN)]
    [InlineData(WeightPrecision.Int8, float.PositiveInfinity)]
    [InlineData(WeightPrecision.Int8, float.NegativeInfinity)]
    [InlineData(WeightPrecision.Float16, 65520f)]
    [InlineData(WeightPrecision.Float16, -1e38f)]
    [InlineData(WeightPrecision.BFloat16, float.MaxValue)]
    public static void Weight_that_cannot_be_kept_is_refused(WeightPrecision precision, float weight)
    {
        float[] weights = Tokens.Normal(Inputs * Outputs);
        weights[^3] = weight;
        foreach (WeightLayout layout in Enum.GetValues<WeightLayout>())
        {
            ArgumentException error = Assert.Throws<ArgumentException>(
                "weights", () => new LinearLayer(new() { InputDim = Inputs, OutputDim = Outputs, Layout = layout, WeightPrecision = precision }, weights));
            Assert.Contains(precision.ToString(), error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public static void Largest_half_and_what_is_not_finite_are_kept()
    {
        float[] weights = [65519f, -65504f, float.PositiveInfinity, float.NaN];
        foreach (WeightPrecision precision in (WeightPrecision[])[WeightPrecision.Float16, WeightPrecision.BFloat16])
        {
            LinearLayer layer = new(new() { InputDim = 1, OutputDim = 4, Layout = WeightLayout.InputOutput, WeightPrecision = precision }, weights);
            var output = new float[4];
            layer.Forward([1], output, 1);
            Assert.Equal(precision == WeightPrecision.Float16 ? [65504f, -65504f, float.PositiveInfinity, float.NaN] : [65536f, -65536f, float.PositiveInfinity, float.NaN], output);
        }
    }

    [Fact]
    public static void Halves_and_bfloat16_numbers_can_be_kept_as_another_precision()
    {
        LinearLayerOptions options = new() { InputDim = 2, OutputDim = 2, Layout = WeightLayout.InputOutput };
        Half[] halves = [(Half)1.0009765625f, (Half)(-127), (Half)3, (Half)0.25f];
        BFloat16[] numbers = [(BFloat16)1.5f, (BFloat16)(-127), (BFloat16)3, (BFloat16)0.25f];
        foreach (WeightPrecision precision in Enum.GetValues<WeightPrecision>())
        {
            LinearLayer ofHalves = new(options with { WeightPrecision = precision }, halves), ofNumbers = new(options with { WeightPrecision = precision }, numbers);
            LinearLayer halvesAsFloats = new(options with { WeightPrecision = precision }, (float[])[1.0009765625f, -127, 3, 0.25f]), numbersAsFloats = new(options with { WeightPrecision = precision }, (float[])[1.5f, -127, 3, 0.25f]);
            Assert.Equal(precision, ofHalves.WeightPrecision);
            Assert.Equal(Row(halvesAsFloats), Row(ofHalves));
            Assert.Equal(Row(numbersAsFloats), Row(ofNumbers));
        }

        static float[] Row(LinearLayer layer)
        {
            var output = new float[4];
            layer.Forward([1, 0, 0, 1], output, 2);
            return output;
        }
    }

    [Theory]
    [InlineData(WeightPrecision.Float32, 4)]
    [InlineData(WeightPrecision.Float16, 2)]
    [InlineData(WeightPrecision.BFloat16, 2)]
    [InlineData(WeightPrecision.Int8, 1)]
    public static void Packed_weights_take_the_bytes_of_their_type(WeightPrecision precision, int bytes)
    {
        // 960 columns are whole panels of 16, 24 and 48.
        ProductDriver product = ProductDriver.For(InstructionSets.Default);
        PackedMatrix matrix = new(new float[960 * 64], isInputOutput: true, 960, default, 64, 960, product, precision);
        Assert.Equal(960 * 64 * bytes, matrix.DataBytes);
        Assert.Equal(matrix.DataBytes, matrix.For(product).DataBytes);
    }

    private static float[] Kept(float[] weights, WeightPrecision precision)
    {
        float[] identity = new float[Inputs * Inputs], kept = new float[weights.Length];
        for (int k = 0; k < Inputs; k++)
            identity[k * (Inputs + 1)] = 1;
        new LinearLayer(new() { InputDim = Inputs, OutputDim = Outputs, Layout = WeightLayout.InputOutput, WeightPrecision = precision }, weights).Forward(identity, kept, Inputs);
        return kept;
    }
}
