using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests.Primitives;

/// <summary>The normalisation of rows against its formula in double, on every vector that this process uses.</summary>
public static class RowNormTests
{
    private const int Rows = 3;
    private const float Epsilon = 1e-5f;

    // Around whole vectors of all widths and around parts of sums.
    private static readonly int[] Dims = [1, 2, 3, 7, 16, 19, 64, 127, 512, 515, 768, 2048, Budget.Of(5003, 2051)];

    /// <summary>Kinds of rows that are hard in different ways.</summary>
    public enum Kind
    {
        Normal,

        /// <summary>N(1000, 1): the mean is much larger than the deviation.</summary>
        LargeMean,

        /// <summary>N(0, 1) with one element of 10^5, the first, as transformers have them.</summary>
        OutlierFirst,

        /// <summary>The same with the outlier last.</summary>
        OutlierLast,

        /// <summary>10^6 but for one element that is one unit of its last place larger.</summary>
        AlmostEqual,

        /// <summary>10^30·N(0, 1): float32 does not hold its squares.</summary>
        Huge,

        /// <summary>10^−30·N(0, 1) with ε = 0, likewise.</summary>
        Tiny,
    }

    public static TheoryData<Kind> Kinds => [.. Enum.GetValues<Kind>()];

    /// <summary>As documented: 2^−20, which is 16 roundings, of the parts that are added.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Layer_norm_equals_the_formula(Kind kind)
    {
        foreach (int dim in Dims)
        {
            // A row of equal elements has no deviation to divide by.
            if (dim == 1 && kind == Kind.Tiny)
                continue;
            float[] input = Input(kind, dim), weight = Tokens.Normal(dim, 2), bias = Tokens.Normal(dim, 3), output = new float[input.Length];
            float epsilon = kind == Kind.Tiny ? 0 : Epsilon;
            double[] exact = Exact(input, weight, epsilon, isCentred: true);
            foreach (RowFunctions functions in Functions)
            {
                LayerPrimitives.Normalise(functions, new() { Input = input, Weight = weight, Bias = bias, Output = output, Rows = Rows, Epsilon = epsilon, IsCentred = true }, default);
                for (int i = 0; i < output.Length; i++)
                {
                    double bound = Math.ScaleB(Math.Abs(exact[i]) + Math.Abs(weight[i % dim]) + Math.Abs(bias[i % dim]), -20);
                    Check($"{functions.GetType()}: {kind}, dimension {dim}, element {i}", exact[i] + bias[i % dim], output[i], bound);
                }

                LayerPrimitives.Normalise(functions, new() { Input = input, Weight = weight, Output = output, Rows = Rows, Epsilon = epsilon, IsCentred = true }, default);
                for (int i = 0; i < output.Length; i++)
                    Check($"{functions.GetType()}: {kind} without bias, dimension {dim}, element {i}", exact[i], output[i], Math.ScaleB(Math.Abs(exact[i]) + Math.Abs(weight[i % dim]), -20));
            }
        }
    }

    /// <summary>As documented: 2^−20 of the result, which is 16 roundings.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Root_mean_square_norm_equals_the_formula(Kind kind)
    {
        foreach (int dim in Dims)
        {
            foreach (float offset in (float[])[0, 1])
            {
                float[] input = Input(kind, dim), weight = Tokens.Normal(dim, 2), output = new float[input.Length];
                float epsilon = kind == Kind.Tiny ? 0 : Epsilon;

                // A factor's sum with the offset is rounded by itself and may cancel.
                double[] exact = Exact(input, [.. weight.Select(factor => factor + offset)], epsilon, isCentred: false);
                foreach (RowFunctions functions in Functions)
                {
                    LayerPrimitives.Normalise(functions, new() { Input = input, Weight = weight, Output = output, Rows = Rows, Epsilon = epsilon, WeightOffset = offset }, default);
                    for (int i = 0; i < output.Length; i++)
                        Check($"{functions.GetType()}: {kind}, dimension {dim}, element {i}", exact[i], output[i], Math.ScaleB(Math.Abs(exact[i]), -20));
                }
            }
        }
    }

    [Fact]
    public static void Hand_worked_rows()
    {
        var output = new float[4];

        // Means 2 and 6, deviations 1 and 2.
        LayerPrimitives.LayerNorm([1, 3, 4, 8], [2, 3], [10, 20], output, rows: 2, epsilon: 0);
        Assert.Equal([8, 23, 8, 23], output);

        // The deviation is 1; √(1 + 3) is 2.
        LayerPrimitives.LayerNorm([1, 3], [2, 4], default, output, rows: 1, epsilon: 3);
        Assert.Equal([-1, 2], output[..2]);

        // [1, 1] + [0, 2].
        LayerPrimitives.LayerNorm([1, 1], [2, 3], [10, 20], output, rows: 1, epsilon: 0, residual: [0, 2]);
        Assert.Equal([8, 23], output[..2]);

        // mean(x²) is 12.5 + 3.5 = 16; offset 1.
        LayerPrimitives.RmsNorm([3, 4], [0, 1], output, rows: 1, epsilon: 3.5f, weightOffset: 1);
        Assert.Equal([0.75f, 2], output[..2]);
    }

    [Fact]
    public static void Sum_is_kept_in_the_residual_where_that_is_asked_for()
    {
        float[] residual = [0, 2, 9], output = new float[3];
        LayerPrimitives.AddLayerNorm([1, 1], residual, [2, 3], [10, 20], output, rows: 1, epsilon: 0);
        Assert.Equal([1, 3, 9], residual);
        Assert.Equal([8, 23, 0], output);

        residual = [1, 5, 9];
        LayerPrimitives.AddRmsNorm([2, -1], residual, [0, 1], output, rows: 1, epsilon: 3.5f, weightOffset: 1);
        Assert.Equal([3, 4, 9], residual);
        Assert.Equal([0.75f, 2, 0], output);
    }

    /// <summary>A sum that is rounded to float32 and then normalised: all ways to it have the same bits.</summary>
    [Fact]
    public static void Residual_and_places_change_no_bit()
    {
        foreach (int dim in Dims)
        {
            float[] input = Tokens.Normal(Rows * dim, 1), residual = Tokens.Normal(Rows * dim, 4), weight = Tokens.Normal(dim, 2), bias = Tokens.Normal(dim, 3);
            float[] sum = [.. input.Zip(residual, static (x, r) => x + r)];
            foreach (RowFunctions functions in Functions)
            {
                foreach (bool isCentred in (bool[])[false, true])
                {
                    string what = $"{functions.GetType()}: dimension {dim}, centred {isCentred}";
                    float[] expected = new float[sum.Length], output = new float[sum.Length];
                    Normalise(functions, sum, default, expected, isCentred);

                    Normalise(functions, input, residual, output, isCentred);
                    Compare.SameBits($"{what}, residual", expected, output);

                    output = [.. sum];
                    Normalise(functions, output, default, output, isCentred);
                    Compare.SameBits($"{what}, in place", expected, output);

                    output = [.. input];
                    Normalise(functions, output, residual, output, isCentred);
                    Compare.SameBits($"{what}, in place of the input", expected, output);

                    output = [.. residual];
                    Normalise(functions, input, output, output, isCentred);
                    Compare.SameBits($"{what}, in place of the residual", expected, output);

                    float[] kept = [.. residual];
                    output = [.. input];
                    LayerPrimitives.Normalise(
                        functions, new() { Input = output, Sum = kept, KeepsSum = true, Weight = weight, Bias = isCentred ? bias : default, Output = output, Rows = Rows, Epsilon = Epsilon, IsCentred = isCentred }, default);
                    Compare.SameBits($"{what}, sum kept", expected, output);
                    Compare.SameBits($"{what}, the sum", sum, kept);
                }

                void Normalise(RowFunctions functions, ReadOnlySpan<float> input, ReadOnlySpan<float> residual, Span<float> output, bool isCentred) =>
                    LayerPrimitives.Normalise(
                        functions, new() { Input = input, Residual = residual, Weight = weight, Bias = isCentred ? bias : default, Output = output, Rows = Rows, Epsilon = Epsilon, IsCentred = isCentred }, default);
            }
        }
    }

    [Fact]
    public static void NaN_and_infinities_stay_in_their_row()
    {
        const int Dim = 37;
        float[] weight = new float[Dim];
        Array.Fill(weight, 1);
        foreach (RowFunctions functions in Functions)
        {
            foreach (float poison in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            {
                foreach (bool isCentred in (bool[])[false, true])
                {
                    for (int place = 0; place < Dim; place++)
                    {
                        float[] input = Tokens.Normal(3 * Dim, 1), clean = new float[input.Length], output = new float[input.Length];
                        LayerPrimitives.Normalise(functions, new() { Input = input, Weight = weight, Output = clean, Rows = 3, Epsilon = Epsilon, IsCentred = isCentred }, default);
                        input[Dim + place] = poison;
                        LayerPrimitives.Normalise(functions, new() { Input = input, Weight = weight, Output = output, Rows = 3, Epsilon = Epsilon, IsCentred = isCentred }, default);
                        Compare.SameBits("the row before", clean.AsSpan(..Dim), output.AsSpan(..Dim));
                        Compare.SameBits("the row after", clean.AsSpan(2 * Dim), output.AsSpan(2 * Dim));
                        for (int i = 0; i < Dim; i++)
                        {
                            bool isZero = !isCentred && !float.IsNaN(poison) && i != place;
                            Assert.True(isZero ? output[Dim + i] == 0 : float.IsNaN(output[Dim + i]), $"{functions.GetType()}: {poison} at {place}, centred {isCentred}: element {i} is {output[Dim + i]}.");
                        }
                    }
                }
            }
        }
    }

    private static RowFunctions[] Functions => [.. InstructionSets.Supported.Select(RowFunctions.For)];

    private static void Check(string what, double exact, float actual, double bound)
    {
        if (!(Math.Abs(actual - exact) <= bound))
            Assert.Fail($"{what} is {actual:R}, not {exact:R}: off by {Math.Abs(actual - exact) / bound:F2} of the bound.");
    }

    private static double[] Exact(float[] input, float[] weight, double epsilon, bool isCentred)
    {
        int dim = weight.Length;
        var exact = new double[input.Length];
        for (int start = 0; start < input.Length; start += dim)
        {
            double[] row = [.. input.Skip(start).Take(dim).Select(static x => (double)x)];
            double mean = isCentred ? row.Average() : 0, deviation = Math.Sqrt(row.Average(x => (x - mean) * (x - mean)) + epsilon);
            for (int i = 0; i < dim; i++)
                exact[start + i] = (row[i] - mean) / deviation * weight[i];
        }

        return exact;
    }

    private static float[] Input(Kind kind, int dim)
    {
        float[] input = Tokens.Normal(Rows * dim, 1);
        for (int start = 0; start < input.Length; start += dim)
        {
            Span<float> row = input.AsSpan(start, dim);
            foreach (ref float x in row)
                x = kind switch { Kind.LargeMean => x + 1000, Kind.AlmostEqual => 1e6f, Kind.Huge => x * 1e30f, Kind.Tiny => x * 1e-30f, _ => x };
            switch (kind)
            {
                case Kind.OutlierFirst:
                    row[0] = 1e5f;
                    break;
                case Kind.OutlierLast:
                    row[^1] = 1e5f;
                    break;
                case Kind.AlmostEqual:
                    row[dim / 2] = MathF.BitIncrement(row[dim / 2]);
                    break;
                default:
                    break;
            }
        }

        return input;
    }
}
