using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Layers whose projections are kept as another type: they are layers of the rounded weights.</summary>
public static class WeightPrecisionTests
{
    private const int Dim = 48, Length = 20;

    private static readonly MultiHeadAttentionOptions Options = new() { ModelDim = Dim, Heads = 3, KeyValueHeads = 1, Mask = AttentionMask.Causal };

    // [in, out].
    private static readonly float[][] Matrices = [.. ((int[])[Dim, Dim / 3, Dim / 3, Dim]).Select(static (outputs, i) => Tokens.Normal(Dim * outputs, seed: 10 + i))];

    public static TheoryData<InstructionSet> Supported => [.. InstructionSets.Supported];

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Layer_of_halves_or_bfloat16_numbers_has_the_bits_of_one_of_their_floats(InstructionSet instructionSet)
    {
        (WeightPrecision Precision, Func<float, float> Round)[] cases =
        [
            (WeightPrecision.Float16, static weight => (float)(Half)weight), (WeightPrecision.BFloat16, static weight => BFloat16Rounding.Value(BFloat16Rounding.NearestBits(weight))),
        ];
        foreach ((WeightPrecision precision, Func<float, float> round) in cases)
        {
            float[] expected = Run(instructionSet, Options, [.. Matrices.Select(matrix => (float[])[.. matrix.Select(round)])]);
            float[] actual = Run(instructionSet, Options with { WeightPrecision = precision }, Matrices), unrounded = Run(instructionSet, Options, Matrices);
            Compare.SameBits($"{instructionSet}, {precision}", expected, actual);
            Assert.NotEqual(unrounded, actual);
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Layer_of_integers_is_one_of_their_floats_up_to_rounding(InstructionSet instructionSet)
    {
        float[] expected = Run(instructionSet, Options, [.. Matrices.Select(Dequantised)]);
        float[] actual = Run(instructionSet, Options with { WeightPrecision = WeightPrecision.Int8 }, Matrices), unrounded = Run(instructionSet, Options, Matrices);

        // The tolerance of layers against double (MultiHeadAttentionTests), once for each of the two: both round the same formula.
        Tokens.AreClose($"{instructionSet}", Tokens.Exact(expected), actual, 2 * 5e-6);

        // A weight is off by up to 0.4% of its column's largest.
        Assert.True(Tokens.RelativeError(Tokens.Exact(unrounded), actual) > 1e-4, "The weights were not rounded.");
    }

    [Fact]
    public static void Weight_that_cannot_be_kept_is_refused()
    {
        foreach (int matrix in Enumerable.Range(0, Matrices.Length))
        {
            float[][] matrices = [.. Matrices.Select(static weights => (float[])weights.Clone())];
            matrices[matrix][5] = float.NaN;
            Assert.Throws<ArgumentException>("weights", () => Build(Options with { WeightPrecision = WeightPrecision.Int8 }, matrices));
            matrices[matrix][5] = 1e5f;
            Assert.Throws<ArgumentException>("weights", () => Build(Options with { WeightPrecision = WeightPrecision.Float16 }, matrices));
        }
    }

    private static float[] Dequantised(float[] matrix)
    {
        int outputs = matrix.Length / Dim;
        float[] scales = [.. Enumerable.Range(0, outputs).Select(n => (float)(Enumerable.Range(0, Dim).Max(k => Math.Abs((double)matrix[k * outputs + n])) / 127))];
        return [.. matrix.Select((weight, i) => (float)Math.Round((double)weight / scales[i % outputs], MidpointRounding.ToEven) * scales[i % outputs])];
    }

    private static MultiHeadAttention Build(MultiHeadAttentionOptions options, float[][] matrices) => new(
        options, new() { Layout = WeightLayout.InputOutput, Query = matrices[0], Key = matrices[1], Value = matrices[2], Output = matrices[3] });

    private static float[] Run(InstructionSet instructionSet, MultiHeadAttentionOptions options, float[][] matrices)
    {
        // Scores of a few units, so that the softmax spreads.
        float[] input = [.. Tokens.Normal(Length * Dim).Select(static x => x / 16)], output = new float[input.Length];
        Build(options, matrices).For(instructionSet).Forward(input, output, 1, Length);
        return output;
    }
}
