using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Primitives;

/// <summary>The activations of layers against their formulas in double, on every vector that this process uses.</summary>
public static unsafe class ActivationTests
{
    private const int Block = 4096;

    public static TheoryData<Activation> Activations => [Activation.Relu, Activation.Gelu, Activation.GeluTanh, Activation.Silu];

    /// <summary>
    /// Floats of every size and both signs, from the least subnormal to the largest, and more of those from 2^−7 to 128, where the functions bend and
    /// their tails end.
    /// </summary>
    [Theory]
    [MemberData(nameof(Activations))]
    public static void Activation_is_as_near_to_its_formula_as_documented(Activation activation)
    {
        Sweep(activation, 0, BitConverter.SingleToInt32Bits(float.MaxValue), Budget.Of(1999, 199_999));
        Sweep(activation, BitConverter.SingleToInt32Bits(1f / 128), BitConverter.SingleToInt32Bits(128f), Budget.Of(61, 9973));
    }

    /// <summary>Values of a table (Abramowitz and Stegun, 26.2) to 15 digits: the oracle is right.</summary>
    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(1, 0.841344746068543)]
    [InlineData(-1, 0.158655253931457)]
    [InlineData(-3, 1.34989803163009e-3)]
    [InlineData(-5, 2.86651571879194e-7)]
    [InlineData(-10, 7.61985302416053e-24)]
    public static void Distribution_function_of_the_oracle_equals_the_table(double x, double expected) =>
        Assert.InRange(NormalDistribution.Below(x) / expected, 1 - 1e-12, 1 + 1e-12);

    [Fact]
    public static void Special_values_are_exact()
    {
        (Activation Activation, float X, float Y)[] cases =
        [
            (Activation.None, -0f, -0f), (Activation.None, float.NegativeInfinity, float.NegativeInfinity),
            (Activation.Relu, float.PositiveInfinity, float.PositiveInfinity), (Activation.Relu, float.NegativeInfinity, 0), (Activation.Relu, -0f, 0), (Activation.Relu, float.Epsilon, float.Epsilon),
            (Activation.Gelu, float.PositiveInfinity, float.PositiveInfinity), (Activation.Gelu, float.NegativeInfinity, -0f), (Activation.Gelu, float.MinValue, -0f), (Activation.Gelu, 0, 0), (Activation.Gelu, -0f, -0f), (Activation.Gelu, float.MaxValue, float.MaxValue),
            (Activation.GeluTanh, float.PositiveInfinity, float.PositiveInfinity), (Activation.GeluTanh, float.NegativeInfinity, -0f), (Activation.GeluTanh, float.MinValue, -0f), (Activation.GeluTanh, 0, 0), (Activation.GeluTanh, -0f, -0f), (Activation.GeluTanh, float.MaxValue, float.MaxValue),
            (Activation.Silu, float.PositiveInfinity, float.PositiveInfinity), (Activation.Silu, float.NegativeInfinity, -0f), (Activation.Silu, float.MinValue, -0f), (Activation.Silu, 0, 0), (Activation.Silu, -0f, -0f), (Activation.Silu, float.MaxValue, float.MaxValue),
        ];
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach ((Activation activation, float x, float expected) in cases)
            {
                var y = new float[19];
                Apply(instructionSet, activation, [.. Enumerable.Repeat(x, y.Length)], y);
                Assert.All(y, actual => Assert.True(
                    BitConverter.SingleToInt32Bits(actual) == BitConverter.SingleToInt32Bits(expected), $"{instructionSet}: {activation} of {x:R} is {actual:R}."));
            }
        }
    }

    [Fact]
    public static void NaN_stays_NaN_in_its_element_alone()
    {
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach (Activation activation in Enum.GetValues<Activation>())
            {
                for (int nan = 0; nan < 37; nan++)
                {
                    var x = new float[37];
                    x[nan] = float.NaN;
                    Apply(instructionSet, activation, x, x);
                    for (int i = 0; i < x.Length; i++)
                        Assert.True(i == nan ? float.IsNaN(x[i]) : x[i] == 0, $"{instructionSet}: {activation} of 0 is {x[i]} in element {i}, with NaN in element {nan}.");
                }
            }
        }
    }

    private static void Sweep(Activation activation, int first, int last, int step)
    {
        float[] x = new float[Block], y = new float[Block];
        double[] exact = new double[Block];
        for (long bits = first; bits <= last; bits += (long)step * Block)
        {
            for (int i = 0; i < Block; i++)
            {
                x[i] = BitConverter.Int32BitsToSingle((int)Math.Min(bits + (long)step * i, last)) * (i % 2 == 0 ? 1 : -1);
                exact[i] = Exact(activation, x[i]);
            }

            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                // Of others it depends on the process whether multiply-adds are fused.
                bool isFused = instructionSet is InstructionSet.Avx512 or InstructionSet.Avx2;
                Apply(instructionSet, activation, x, y);
                for (int i = 0; i < Block; i++)
                {
                    if (!(Math.Abs(y[i] - exact[i]) <= Bound(activation, x[i], exact[i], isFused)))
                        Assert.Fail($"{instructionSet}: {activation} of {x[i]:R} is {y[i]:R}, not {exact[i]:R}: off by {(y[i] - exact[i]) / Ulp(exact[i]):F3} ulp.");
                }
            }
        }
    }

    private static double Bound(Activation activation, float x, double exact, bool isFused) => activation switch
    {
        Activation.Relu => 0,
        Activation.GeluTanh when x < -1 => Math.Min(Math.ScaleB(1, -22), Math.Abs(exact) * Math.ScaleB(1 + Math.Abs(Exponent(x)), -22) + Math.ScaleB(1, -149)),
        Activation.Gelu when x < 0 => (isFused ? 7 : 9) * Ulp(exact),
        _ => 4 * Ulp(exact),
    };

    private static double Exact(Activation activation, double x) => activation switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Gelu => x * NormalDistribution.Below(x),
        Activation.GeluTanh => x / (1 + Math.Exp(-Exponent(x))),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        _ => x,
    };

    private static double Exponent(double x) => 2 * Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);

    private static double Ulp(double exact) => Math.ScaleB(1, Math.Max(exact == 0 ? -126 : Math.ILogB(exact), -126) - 23);

    private static void Apply(InstructionSet instructionSet, Activation activation, float[] x, float[] y)
    {
        fixed (float* source = x, destination = y)
            RowFunctions.For(instructionSet).Activate(activation, source, destination, x.Length);
    }
}
