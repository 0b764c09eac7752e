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
        Check(AttentionMask.None, default, default, static (_, j) => j switch { 0 => 1 / 7.0, 1 => 2 / 7.0, _ => 4 / 7.0 });
        Check(AttentionMask.Causal, new() { CausalOffset = 0 }, default, static (i, j) => (i, j) switch { (0, 0) => 1, (0, _) => 0, (1, 0) => 1 / 3.0, (1, 1) => 2 / 3.0, (1, _) => 0, _ => (1 << j) / 7.0 });
        Check(AttentionMask.None, default, new() { KeyLengths = [2] }, static (_, j) => j switch { 0 => 1 / 3.0, 1 => 2 / 3.0, _ => 0 });
        Check(AttentionMask.None, default, new() { KeyLengths = [0] }, static (_, _) => 0);
        Check(AttentionMask.None, default, new() { Sinks = [0] }, static (_, j) => (1 << j) / 8.0);
        Check(AttentionMask.None, default, new() { QueryLengths = [1] }, static (i, j) => i == 0 ? (1 << j) / 7.0 : 0);
        Check(AttentionMask.None, default, new() { BooleanMask = [true, false, true], BooleanMaskStrides = AttentionMaskStrides.Of(1, 1, 1, 3) }, static (_, j) => j == 1 ? 0 : (1 << j) / 5.0);
    }

    /// <summary>As with outputs: at most twice the error of float32 in three passes, or that of a logit of 16 that is rounded once.</summary>
    [Fact]
    public static void Weights_are_as_accurate_as_those_of_three_passes()
    {
        const double Floor = 1e-6;
        int drawn = 0;
        for (int seed = 0; drawn < Budget.Draws(150, 15); seed++)
        {
            (FeatureCase call, Inputs inputs) = OracleCases.Draw(new Random(seed));
            if (call.QueryStarts is not null || call.Batched(inputs).IsRefused)
                continue;
            drawn++;
            AttentionShape shape = call.Call.Shape;
            int elements = shape.Batch * shape.QueryHeads * shape.QueryLength * shape.KeyLength;
            var exact = new double[elements];
            var naive = new float[elements];
            AttentionReference.Scores<double>(inputs.Query, inputs.Key, exact, shape, call.Call.HeadDim, AttentionScoreStage.Probabilities, call.Modifiers, call.Call.Mask, call.Options);
            AttentionReference.Scores<float>(inputs.Query, inputs.Key, naive, shape, call.Call.HeadDim, AttentionScoreStage.Probabilities, call.Modifiers, call.Call.Mask, call.Options);
            double bound = Math.Max(Floor, 2 * exact.Zip(naive, static (expected, weight) => Math.Abs(expected - weight)).Where(double.IsFinite).DefaultIfEmpty().Max());
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(call.Kernel.For))
            {
                var weights = new float[elements];
                Array.Fill(weights, Evaluate.Canary);
                kernel.ComputeWeights(inputs.Query, inputs.Key, weights, shape, call.Modifiers, call.Options with { ValueStrides = null, OutputStrides = null });
                for (int i = 0; i < elements; i++)
                {
                    bool agrees = double.IsNaN(exact[i]) ? float.IsNaN(weights[i]) : Math.Abs(exact[i] - weights[i]) <= bound;
                    Assert.True(agrees, $"{kernel.Name}, seed {seed}: {call}: weight {i} is {weights[i]:R}, in double {exact[i]:R}.");
                }
            }
        }
    }

    [Fact]
    public static void Number_of_threads_changes_no_bit()
    {
        var shape = new AttentionShape(3, 8, 2, 130, 300);
        Inputs inputs = Inputs.Normal(new Case(64, 64, AttentionMask.Causal, shape));
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(64, 64, AttentionMask.Causal);
        float[] one = new float[3 * 8 * 130 * 300], all = new float[one.Length];
        kernel.ComputeWeights(inputs.Query, inputs.Key, one, shape, options: new() { MaxDegreeOfParallelism = 1 });
        kernel.ComputeWeights(inputs.Query, inputs.Key, all, shape);
        Assert.Equal(one, all);
    }

    [Fact]
    public static void Ragged_batches_wrong_lengths_and_strides_without_use_are_refused()
    {
        Assert.Throws<ArgumentException>("options", () => ScaledDotProductAttention.ComputeWeights([1], [1], new float[1], new(1, 1, 1), 1, options: new() { ValueStrides = new(1, 1, 1) }));
        Assert.Throws<ArgumentException>("options", () => ScaledDotProductAttention.ComputeWeights([1], [1], new float[1], new(1, 1, 1), 1, options: new() { OutputStrides = new(1, 1, 1) }));
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(1, 1, AttentionMask.None, AttentionFeatures.All);
        Assert.Throws<ArgumentException>("modifiers", () => kernel.ComputeWeights([1], [1], new float[1], new(1, 1, 1), new AttentionModifiers { QueryStarts = [0, 1], KeyStarts = [0, 1] }));
        Assert.Throws<ArgumentException>("weights", () => kernel.ComputeWeights([1], [1, 2], new float[3], new(1, 1, 1, 1, 2)));
        var both = new float[2];
        Assert.Throws<ArgumentException>("weights", () => kernel.ComputeWeights(both.AsSpan(0, 1), [1, 2], both, new(1, 1, 1, 1, 2)));
    }

    private static void Check(AttentionMask mask, AttentionOptions options, AttentionModifiers modifiers, Func<int, int, double> expected)
    {
        // A single row and many take the same way; 20 rows are a whole vector and a part.
        foreach (int queries in (int[])[1, 3, 20])
        {
            if (queries == 1 && !modifiers.QueryLengths.IsEmpty)
                continue;
            float[] query = [.. Enumerable.Repeat(1f, queries)], weights = new float[3 * queries];
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(ScaledDotProductAttention.GetKernel(1, 1, mask, AttentionFeatures.All).For))
            {
                kernel.ComputeWeights(query, Logits, weights, new(1, 1, 1, queries, 3), modifiers, options with { Scale = 1 });
                for (int i = 0; i < weights.Length; i++)
                    Assert.True(Math.Abs(weights[i] - expected(i / 3, i % 3)) <= 2e-7, $"{kernel.Name}, {queries} queries: weight {i} is {weights[i]:R}.");
            }
        }
    }
}
