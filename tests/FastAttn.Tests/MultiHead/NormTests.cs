using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>The normalisation of queries and keys.</summary>
public static class NormTests
{
    /// <summary>Of the output's norm: as in <see cref="MultiHeadAttentionTests"/>.</summary>
    private const double Tolerance = 5e-6;

    private static readonly MultiHeadAttentionOptions Pair = new() { ModelDim = 2, Heads = 1, NormEpsilon = 0 };

    public static TheoryData<NormKind, NormScope, bool> Norms => new MatrixTheoryData<NormKind, NormScope, bool>(Enum.GetValues<NormKind>(), Enum.GetValues<NormScope>(), [false, true]);

    [Theory]
    [MemberData(nameof(Norms))]
    public static void Normalised_layer_equals_the_formula(NormKind kind, NormScope scope, bool isAfterRotary)
    {
        const int Batch = 2, Length = 7, Dim = 42;
        foreach (bool isOfEachHead in scope == NormScope.AllHeads ? [true] : (bool[])[false, true])
        {
            foreach (bool hasBias in (bool[])[false, true])
            {
                MultiHeadAttentionOptions options = new()
                {
                    ModelDim = Dim, Heads = 4, KeyValueHeads = 2, HeadDim = 11, ValueDim = 9, Mask = AttentionMask.Causal, Rotary = new(6, attentionFactor: 1.25), NormKind = kind,
                    NormScope = scope, NormAfterRotary = isAfterRotary, NormEpsilon = 1e-2f, NormFactorOffset = hasBias ? 1 : 0,
                };
                Layer layer = new(options, hasNorm: true, hasNormBias: hasBias, hasNormOfEachHead: isOfEachHead);
                MultiHeadAttention built = layer.Build();
                float[] input = Tokens.Normal(Batch * Length * Dim), output = new float[input.Length];
                double[] exact = layer.Exact(Tokens.Exact(input), Tokens.Exact(input), Tokens.Exact(input), Batch, Length, Length);
                foreach (MultiHeadAttention bound in InstructionSets.Supported.Select(built.For))
                {
                    bound.Forward(input, output, Batch, Length);
                    Tokens.AreClose($"{bound.InstructionSet}: of each head {isOfEachHead}, biases {hasBias}", exact, output, Tolerance);
                }
            }
        }
    }

    [Fact]
    public static void Root_mean_square_is_divided_out()
    {
        // mean(x²) = (3² + 4²)/2 = 12.5.
        float[] row = [3, 4];
        Query(Pair, [1, 2]).Apply(row);
        Assert.Equal([3 / MathF.Sqrt(12.5f), 8 / MathF.Sqrt(12.5f)], row);

        // With ε = 3.5 the root is 4.
        row = [3, 4];
        Query(Pair with { NormEpsilon = 3.5f }, [1, 2]).Apply(row);
        Assert.Equal([0.75f, 2], row);
    }

    [Fact]
    public static void Layer_normalisation_subtracts_the_mean()
    {
        // Mean 2, deviation 1.
        float[] row = [1, 3];
        Query(Pair with { NormKind = NormKind.Layer }, [2, 3], [10, 20]).Apply(row);
        Assert.Equal([8, 23], row);
    }

    [Fact]
    public static void Offset_is_added_to_the_factors_and_not_to_the_biases()
    {
        float[] row = [1, 3];
        Query(Pair with { NormKind = NormKind.Layer, NormFactorOffset = 1 }, [1, 2], [10, 20]).Apply(row);
        Assert.Equal([8, 23], row);
    }

    [Fact]
    public static void Scope_says_over_which_elements_means_are_taken()
    {
        MultiHeadAttentionOptions options = new() { ModelDim = 4, Heads = 2, NormEpsilon = 0 };

        // Head by head the roots are 1 and 5, of all elements √13.
        float[] row = [1, 1, 1, 7];
        Query(options, [1, 1]).Apply(row);
        Assert.Equal([1, 1, 0.2f, 1.4f], row);
        row = [1, 1, 1, 7];
        Query(options, [1, 2, 3, 4]).Apply(row);
        Assert.Equal([1, 2, 0.6f, 5.6f], row, static (expected, actual) => MathF.Abs(expected - actual) < 1e-6f);
        row = [1, 1, 1, 7];
        Query(options with { NormScope = NormScope.AllHeads }, [1, 1, 1, 1]).Apply(row);
        float root = MathF.Sqrt(13);
        Assert.Equal([1 / root, 1 / root, 1 / root, 7 / root], row, static (expected, actual) => MathF.Abs(expected - actual) < 1e-6f);
    }

    [Theory]
    [InlineData(1e30f)]
    [InlineData(1e-30f)]
    public static void Rows_of_any_size_are_normalised(float size)
    {
        // Their squares are outside of float32. The roundings of 3·size and 4·size and of the result: 2^−24 each.
        float[] row = [3 * size, 4 * size, 3 * size, 4 * size, 3 * size];
        double[] exact = [.. row.Select(x => x / Math.Sqrt(row.Average(static y => (double)y * y)))];
        Query(Pair with { ModelDim = 5 }, [1, 1, 1, 1, 1]).Apply(row);
        Assert.All(row.Zip(exact), static pair => Assert.InRange(pair.First / pair.Second, 1 - 1e-6, 1 + 1e-6));
    }

    [Fact]
    public static void Queries_alone_may_be_normalised()
    {
        Assert.Null(HeadNorm.Of(new() { QueryNorm = [1, 1] }, Pair, MultiHeadDimensions.Of(Pair)).Key);
        Assert.NotNull(HeadNorm.Of(new() { QueryNorm = [1, 1] }, Pair, MultiHeadDimensions.Of(Pair)).Query);
    }

    private static HeadNorm Query(MultiHeadAttentionOptions options, float[] factors, float[]? biases = null) =>
        HeadNorm.Of(new() { QueryNorm = factors, QueryNormBias = biases }, options, MultiHeadDimensions.Of(options)).Query!;
}
