using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Primitives;

/// <summary>The softmax of rows against its formula in double, on every vector that this process uses.</summary>
public static class RowSoftmaxTests
{
    /// <summary>
    /// Relative to the result, 2^−20 + (m − x)·2^−22: 2 ulp of an exponential, x − m and its product with log₂ e each rounded, and a sum of random
    /// roundings. Below e^−87 results are subnormal or 0.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(1e4)]
    public static void Softmax_equals_the_formula(double deviation)
    {
        const int Rows = 3;
        foreach (int dim in (int[])[1, 2, 3, 15, 16, 19, 64, 127, 1000, 4099])
        {
            float[] input = new float[Rows * dim], output = new float[Rows * dim];
            RandomData.FillNormal(input, new Random(dim), (float)deviation);
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                LayerPrimitives.Softmax(RowFunctions.For(instructionSet), input, output, Rows, dim, default);
                for (int row = 0; row < Rows; row++)
                {
                    double[] x = [.. input.Skip(row * dim).Take(dim).Select(static x => (double)x)];
                    double max = x.Max(), sum = x.Sum(x => Math.Exp(x - max));
                    for (int i = 0; i < dim; i++)
                    {
                        double exact = Math.Exp(x[i] - max) / sum, bound = exact * (Math.ScaleB(1, -20) + Math.ScaleB(max - x[i], -22)) + (max - x[i] > 87 ? Math.Exp(-87) : 0);
                        float actual = output[row * dim + i];
                        Assert.True(Math.Abs(actual - exact) <= bound, $"{instructionSet}: dimension {dim}, row {row}: e^({x[i] - max}) / {sum} is {actual:R}, not {exact:R}.");
                    }
                }

                float[] inPlace = [.. input];
                LayerPrimitives.Softmax(RowFunctions.For(instructionSet), inPlace, inPlace, Rows, dim, default);
                Compare.SameBits($"{instructionSet}: in place", output, inPlace);
            }
        }
    }

    [Fact]
    public static void Minus_infinities_weigh_nothing_and_alone_give_zeros()
    {
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach (int dim in (int[])[1, 4, 16, 21])
            {
                float[] input = new float[3 * dim], output = new float[3 * dim];
                Array.Fill(input, float.NegativeInfinity);
                input[dim] = float.MinValue;
                input[3 * dim - 1] = float.MaxValue;
                LayerPrimitives.Softmax(RowFunctions.For(instructionSet), input, output, 3, dim, default);
                for (int i = 0; i < output.Length; i++)
                    Assert.True(output[i] == (i == dim || i == output.Length - 1 ? 1 : 0), $"{instructionSet}: dimension {dim}: element {i} is {output[i]}.");
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public static void NaN_and_infinity_make_their_row_NaN(float poison)
    {
        const int Dim = 37;
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            for (int place = 0; place < Dim; place++)
            {
                float[] input = new float[3 * Dim], output = new float[3 * Dim];
                input[Dim + place] = poison;
                LayerPrimitives.Softmax(RowFunctions.For(instructionSet), input, output, 3, Dim, default);

                // 1/37 of equal weights, rounded once.
                for (int i = 0; i < output.Length; i++)
                    Assert.True(i / Dim == 1 ? float.IsNaN(output[i]) : output[i] == 1f / Dim, $"{instructionSet}: {poison} at {place}: element {i} is {output[i]}.");
            }
        }
    }
}
