using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Logits far outside what exp can represent.</summary>
public static class HardNumbersTests
{
    public static TheoryData<string> Kernels => TestKernels.FewNames;

    /// <summary>
    /// A logit of 10⁴ in float32 is off by 10⁴·2⁻²⁴ = 6·10⁻⁴ after one rounding, whoever computes it. Four such roundings
    /// are what a case may exceed twice the error of float32 in three passes by, where that has luck.
    /// </summary>
    private const double Floor = 4 * 1e4 / (1 << 24);

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Logits_of_plus_and_minus_ten_thousand_keep_the_answer(string name) =>
        CheckLogits(name, static key => key % 3 == 1 ? 1e4f : -1e4f);

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Logits_of_minus_ten_thousand_alone_keep_the_answer(string name) => CheckLogits(name, static _ => -1e4f);

    /// <summary>Every block, and most keys, take the running maximum far up: what came before is rescaled to nothing.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Rising_logits_keep_the_answer(string name) => CheckLogits(name, static key => -1e4f + 100 * key);

    /// <summary>The first keys decide; what follows underflows to exactly nothing.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Falling_logits_keep_the_answer(string name) => CheckLogits(name, static key => 1e4f - 100 * key);

    /// <summary>
    /// Values of which all together are just finite, with weights of e^−80 once the one large score is met: the sums before it are of weights near 1, and finite too.
    /// </summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Large_values_whose_sum_is_finite_keep_the_answer(string name)
    {
        const float Score = 80;
        AttentionKernel kernel = TestKernels.Named(name);
        (int headDim, int valueDim) = (kernel.HeadDim, kernel.ValueDim);
        foreach ((int queries, int keys) in ((int, int)[])[(1, 130), (50, 129), (1, 4000)])
        {
            foreach (int large in (int[])[0, keys - 1])
            {
                float[] query = new float[queries * headDim], key = new float[keys * headDim], value = new float[keys * valueDim];
                for (int i = 0; i < queries; i++)
                    query[i * headDim] = 1;
                key[large * headDim] = Score;
                Array.Fill(value, float.MaxValue / 2 / keys);
                value.AsSpan(large * valueDim, valueDim).Clear();
                AttentionShape shape = new(1, 1, 1, queries, keys);
                AttentionOptions options = new() { Scale = 1 };
                var expected = new double[queries * valueDim];
                AttentionReference.Forward<double>(query, key, value, expected, shape, headDim, kernel.Mask, options, valueDim: valueDim);

                // All terms are positive. Relative to each are the exponential's own error, 2 ulp and |x|·(2⁻²⁴ + 2⁻²⁶), and a rounding for each sum of the numerator and of the denominator.
                double tolerance = (4 + 1.25 * Score + 2 * keys) / (1 << 24);
                foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
                {
                    var output = new float[expected.Length];
                    bound.Forward(query, key, value, output, shape, options);
                    for (int i = 0; i < output.Length; i++)
                        Assert.True(Math.Abs(output[i] - expected[i]) <= tolerance * expected[i], $"{bound.Name}, {queries} queries, {keys} keys, score {Score} of key {large}: {output[i]:R}, not {expected[i]:R}.");
                }
            }
        }
    }

    private static void CheckLogits(string name, Func<int, float> logit)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        var accuracy = new Accuracy(kernel);
        foreach ((int queryLength, int keyLength) in ((int, int)[])[(1, 130), (9, 20), (50, 129)])
        {
            foreach (int? keyBlock in Budget.IsSmall ? [7] : (int?[])[null, 7])
            {
                var call = new Case(kernel, new(1, 2, 1, queryLength, keyLength)) { KeyBlock = keyBlock, Seed = keyLength };
                Inputs inputs = WithLogits(call, logit);
                accuracy.Check(call, inputs, Floor);
                foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
                {
                    Outputs<float> actual = call.Run(bound, inputs);
                    Assert.All(actual.Output, static value => Assert.True(float.IsFinite(value)));
                    Assert.All(actual.LogSumExp, static value => Assert.True(float.IsFinite(value)));
                }
            }
        }
    }

    /// <summary>Inputs whose first column alone makes the given logits; the other columns add N(0, 1).</summary>
    private static Inputs WithLogits(Case call, Func<int, float> logit)
    {
        // A first column of 128 in each query and of logit·√d / 128 in each key, with the default scale of 1/√d.
        Inputs inputs = Inputs.Normal(call);
        const float First = 128;
        for (int start = 0; start < inputs.Query.Length; start += call.HeadDim)
            inputs.Query[start] = First;
        for (int key = 0; key < call.Shape.KeyLength; key++)
            inputs.Key[key * call.HeadDim] = (float)(logit(key) * Math.Sqrt(call.HeadDim) / First);
        return inputs;
    }
}
