using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>The weights of the softmax, as kernels give them where they are asked for.</summary>
public static class WeightsTests
{
    private static readonly float[] Logits = [0, MathF.Log(2), MathF.Log(4)];

    [Fact]
    public static void Weights_are_those_worked_out_by_hand()
    {
        Check(AttentionMask.None, default, static (_, j) => j switch { 0 => 1 / 7.0, 1 => 2 / 7.0, _ => 4 / 7.0 });
        Check(AttentionMask.Causal, new() { PositionOffset = 0 }, static (i, j) => (i, j) switch { (0, 0) => 1, (0, _) => 0, (1, 0) => 1 / 3.0, (1, 1) => 2 / 3.0, (1, _) => 0, _ => (1 << j) / 7.0 });
        Check(AttentionMask.None, new() { KeyLengths = [2] }, static (_, j) => j switch { 0 => 1 / 3.0, 1 => 2 / 3.0, _ => 0 });
        Check(AttentionMask.None, new() { KeyLengths = [0] }, static (_, _) => 0);
        Check(AttentionMask.None, new() { Sinks = [0] }, static (_, j) => (1 << j) / 8.0);
        Check(AttentionMask.None, new() { QueryLengths = [1] }, static (i, j) => i == 0 ? (1 << j) / 7.0 : 0);
        Check(AttentionMask.None, new() { BooleanMask = new([true, false, true], new AttentionMaskSizes(1, 1, 1, 3)) }, static (_, j) => j == 1 ? 0 : (1 << j) / 5.0);
    }

    /// <summary>As with outputs: at most twice the error of float32 in three passes, or that of a logit of 16 that is rounded once.</summary>
    [Fact]
    public static void Weights_are_as_accurate_as_those_of_three_passes()
    {
        const double Floor = 1e-6;
        int drawn = 0;
        for (int seed = 0; drawn < Budget.Draws(150, 15); seed++)
        {
            (Case call, Inputs inputs) = OracleCases.Draw(new Random(seed));
            if (call.QueryStarts is not null || new BatchedCall(call, inputs).IsRefused)
                continue;
            drawn++;
            AttentionShape shape = call.Shape;
            int elements = shape.Batch * shape.QueryHeads * shape.QueryLength * shape.KeyLength;
            var exact = new double[elements];
            var naive = new float[elements];
            call.Scores<double>(inputs, exact, AttentionScoreStage.Probabilities);
            call.Scores<float>(inputs, naive, AttentionScoreStage.Probabilities);
            double bound = Math.Max(Floor, 2 * exact.Zip(naive, static (expected, weight) => Math.Abs(expected - weight)).Where(double.IsFinite).DefaultIfEmpty().Max());
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(call.Kernel.For))
            {
                var weights = new float[elements];
                Array.Fill(weights, Canary.Value);
                call.ComputeWeights(kernel, inputs, weights);
                for (int i = 0; i < elements; i++)
                {
                    bool agrees = double.IsNaN(exact[i]) ? float.IsNaN(weights[i]) : Math.Abs(exact[i] - weights[i]) <= bound;
                    Assert.True(agrees, $"{kernel.Name}, seed {seed}: {call}: weight {i} is {weights[i]:R}, in double {exact[i]:R}.");
                }
            }
        }
    }

    /// <summary>Keys 0, 1 and 2, of which a causal mask shows the queries one, two and three; the second is not finite.</summary>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public static void A_score_that_is_not_finite_makes_the_rows_of_those_that_see_it_NaN(float score)
    {
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            var weights = new float[9];
            ScaledDotProductAttention.GetKernel(headDim: 1, AttentionMask.Causal).For(instructionSet).ComputeWeights(new float[] { 1, 1, 1 }, new float[] { 1, score, 1 }, weights, new AttentionShape(1, 1, 3));
            Assert.Equal([1, 0, 0, float.NaN, float.NaN, float.NaN, float.NaN, float.NaN, float.NaN], weights);
        }
    }

    [Fact]
    public static void Number_of_threads_changes_no_bit()
    {
        var shape = new AttentionShape(3, 8, 2, 130, 300);
        Inputs inputs = Inputs.Normal(new Case(64, 64, AttentionMask.Causal, shape));
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(64, AttentionMask.Causal);
        float[] one = new float[3 * 8 * 130 * 300], all = new float[one.Length];
        kernel.ComputeWeights(inputs.Query, inputs.Key, one, shape, execution: new() { MaxDegreeOfParallelism = 1 });
        kernel.ComputeWeights(inputs.Query, inputs.Key, all, shape);
        Assert.Equal(one, all);
    }

    [Fact]
    public static void Ragged_batches_and_wrong_lengths_are_refused()
    {
        float[] one = [1], two = [1, 2];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(1, AttentionMask.None, AttentionFeatures.All);
        Assert.Throws<ArgumentException>("options", () => kernel.ComputeWeights(one, one, new float[1], new(1, 1, 1), new() { QueryStarts = [0, 1], KeyStarts = [0, 1] }));
        Assert.Throws<ArgumentException>("weights", () => kernel.ComputeWeights(one, two, new float[1], new(1, 1, 1, 1, 2)));
        Assert.Throws<ArgumentException>("key", () => kernel.ComputeWeights(one, one, new float[2], new(1, 1, 1, 1, 2)));
        Assert.Throws<ArgumentException>("query", () => kernel.ComputeWeights(Array.Empty<float>(), two, new float[2], new(1, 1, 1, 1, 2)));
        Assert.Throws<ArgumentOutOfRangeException>("execution", () => kernel.ComputeWeights(one, two, new float[2], new(1, 1, 1, 1, 2), execution: new() { MaxDegreeOfParallelism = -2 }));
        var both = new float[2];
        Assert.Throws<ArgumentException>("weights", () => kernel.ComputeWeights(both.AsSpan(0, 1), two, both, new(1, 1, 1, 1, 2)));
    }

    [Fact]
    public static void Longer_weights_are_accepted_and_their_rest_is_left_alone()
    {
        float[] weights = [Canary.Value, Canary.Value, Canary.Value];
        ScaledDotProductAttention.ComputeWeights((float[])[0, 7], (float[])[0, 0, 9], weights, new(1, 1, 1, 1, 2), 1);
        Assert.Equal([0.5f, 0.5f], weights[..2]);
        Assert.True(Canary.Is(weights[2]));
    }

    /// <summary>Queries and keys at strides, of which the weights, always contiguous, know nothing.</summary>
    [Fact]
    public static void Place_of_the_rows_changes_no_bit()
    {
        Case dense = new(16, 16, AttentionMask.Causal, new(2, 4, 2, 9, 30)), placed = dense with { Query = RowPlacement.Padded, Key = RowPlacement.PaddedTokens };
        float[] expected = new float[2 * 4 * 9 * 30], actual = new float[expected.Length];
        foreach (AttentionKernel kernel in InstructionSets.Supported.Select(dense.Kernel.For))
        {
            dense.ComputeWeights(kernel, Inputs.Normal(dense), expected);
            foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
            {
                foreach (Case call in (Case[])[placed, dense with { Layout = layout }])
                {
                    call.ComputeWeights(kernel, Inputs.Normal(call), actual);
                    Compare.SameBits($"{kernel.Name}: {call}", expected, actual);
                }
            }
        }
    }

    private static void Check(AttentionMask mask, AttentionOptions options, Func<int, int, double> expected)
    {
        // A single row and many take the same way; 20 rows are a whole vector and a part.
        foreach (int queries in (int[])[1, 3, 20])
        {
            if (queries == 1 && !options.QueryLengths.IsEmpty)
                continue;
            float[] query = [.. Enumerable.Repeat(1f, queries)], weights = new float[3 * queries];
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(ScaledDotProductAttention.GetKernel(1, mask, AttentionFeatures.All).For))
            {
                kernel.ComputeWeights(query, Logits, weights, new(1, 1, 1, queries, 3), options with { Scale = 1 });
                for (int i = 0; i < weights.Length; i++)
                    Assert.True(Math.Abs(weights[i] - expected(i / 3, i % 3)) <= 2e-7, $"{kernel.Name}, {queries} queries: weight {i} is {weights[i]:R}.");
            }
        }
    }
}
