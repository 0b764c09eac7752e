using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Splits;

/// <summary>Few queries over keys that are cut into splits give the formula. A split has 3072 keys, and 32 with key blocks of 1.</summary>
public static class SplitTests
{
    /// <summary>All scores are 0: the output is the mean of the values 1 to n, (n + 1) / 2, and the log-sum-exp ln n.</summary>
    /// <param name="keys">n.</param>
    [Theory]
    [InlineData(3071)]
    [InlineData(3072)]
    [InlineData(3073)]
    [InlineData(6144)]
    [InlineData(6145)]
    [InlineData(20_000)]
    public static void Equal_scores_give_the_mean(int keys)
    {
        float[] query = new float[2], key = new float[keys], value = [.. Enumerable.Range(1, keys).Select(static j => (float)j)];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim: 1);
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            float[] output = new float[2], logSumExp = new float[2];
            kernel.For(set).Forward(query, key, value, new AttentionOutput(output, logSumExp), new(1, 1, 1, 2, keys));

            // Parts of 384 keys are not exact in float32; their errors and some roundings are within 8 ulp.
            Assert.All(output, o => Assert.Equal((keys + 1) / 2.0, o, keys * 5e-7));
            Assert.All(logSumExp, sum => Assert.Equal(Math.Log(keys), sum, 1e-6));
        }
    }

    /// <summary>A window at the end of two splits, at the begin of the third, and over the edge; queries at both ends of it.</summary>
    /// <param name="position">The position of the query.</param>
    [Theory]
    [InlineData(6143)]
    [InlineData(6144)]
    [InlineData(6146)]
    [InlineData(6244)]
    public static void Window_over_the_edge_of_a_split_gives_the_mean_of_its_values(int position)
    {
        const int Keys = 7000, Seen = 100;
        float[] query = new float[1], key = new float[Keys], value = [.. Enumerable.Range(0, Keys).Select(static j => (float)j)];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim: 1, features: AttentionFeatures.Window);
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            float[] output = new float[1], logSumExp = new float[1];
            kernel.For(set).Forward(query, key, value, new AttentionOutput(output, logSumExp), new(1, 1, 1, 1, Keys), new() { Window = AttentionWindow.Sliding(Seen), PositionOffset = position });
            Assert.Equal(position - (Seen - 1) / 2.0, output[0], 2e-3);
            Assert.Equal(Math.Log(Seen), logSumExp[0], 1e-6);
        }
    }

    [Fact]
    public static void Drawn_calls_give_the_formula()
    {
        Accuracy accuracy = new(ScaledDotProductAttention.GetKernel(64, AttentionMask.Causal, AttentionFeatures.All, 64)), other = new(ScaledDotProductAttention.GetKernel(45, AttentionMask.None, AttentionFeatures.All, 37));
        for (int seed = 0; seed < Budget.Draws(150, 20); seed++)
        {
            var random = new Random(seed);
            bool isCausal = random.Next(2) == 0;
            int keyValueHeads = 1 + random.Next(2);
            var shape = new AttentionShape(1 + random.Next(3), keyValueHeads * (1 + random.Next(4)), keyValueHeads, random.Next(8) == 0 ? 20 : 1 + random.Next(3), random.Next(400));
            Case call = isCausal ? new(64, 64, AttentionMask.Causal, shape) : new(45, 37, AttentionMask.None, shape);
            call = FeatureCases.Draw(random, call with { KeyBlock = 1 + random.Next(3), Seed = seed, Threads = 1 + random.Next(3) }, FeatureCases.DrawFeatures(random, chance: 0.25));
            (isCausal ? accuracy : other).Check(call);
        }

        accuracy.CheckAll();
        other.CheckAll();
    }

    /// <summary>A group of more rows than are worked on together, and than a query tile has.</summary>
    [Fact]
    public static void Large_group_gives_the_formula()
    {
        var call = new Case(16, 16, AttentionMask.None, new(1, 140, 1, 2, 100)) { KeyBlock = 1, Key = RowPlacement.Padded, Value = RowPlacement.Padded };
        var accuracy = new Accuracy(call.Kernel);
        accuracy.Check(call);
        accuracy.Check(call with { Threads = 3 });
    }

    /// <summary>Values of N(1, 1), whose sums do not cancel.</summary>
    [Fact]
    public static void Mean_of_many_values_is_kept()
    {
        int keys = Budget.Of(300_000, 20_000);
        var call = new Case(8, 8, AttentionMask.None, new(1, 1, 1, 1, keys));
        Inputs inputs = Inputs.Normal(call);
        foreach (ref float value in inputs.Value.AsSpan())
            value += 1;
        Outputs<double> exact = call.Exact(inputs);
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            Difference difference = Difference.Between(call, exact, call.Run(call.Kernel.For(set), inputs));

            // Outputs near 1 are rounded three times, by 6e-8 each.
            Assert.True(difference.Output < 2.5e-7 && difference.LogSumExp < 1e-6, $"{set}:{difference.Where}");
        }
    }

    /// <summary>Keys and values that no query sees, in the first, a middle or the last split.</summary>
    /// <param name="poison">What they are.</param>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public static void Hidden_keys_of_a_split_reach_no_output(float poison)
    {
        const int Keys = 200;
        foreach (int hidden in (int[])[5, 70, 100, 199])
        {
            bool[] mask = Masks.Of(1, 1, Keys, (_, _, j) => j != hidden && j / 10 != 9);
            var call = new Case(16, 20, AttentionMask.None, new(1, 2, 1, 2, Keys)) { KeyBlock = 1, BooleanMask = new(mask, new(1, 1, 1, Keys)) };
            Inputs inputs = Inputs.Normal(call), poisoned = inputs.Copy();
            for (int j = 0; j < Keys; j++)
            {
                if (mask[j])
                    continue;
                poisoned.Key.AsSpan(j * 16, 16).Fill(poison);
                poisoned.Value.AsSpan(j * 20, 20).Fill(poison);
            }

            foreach (InstructionSet set in InstructionSets.Supported)
            {
                AttentionKernel kernel = call.Kernel.For(set);
                Compare.SameBits($"{kernel.Name}: {call}, {poison}", call.Run(kernel, inputs), call.Run(kernel, poisoned));
            }
        }
    }

    /// <summary>What one query sees and the other does not: the first is NaN, as in three passes, and the second as if it were not there.</summary>
    /// <param name="isValue">Whether a value is NaN, or the score of a key +∞.</param>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public static void Visible_nonfinite_of_a_split_reaches_the_query_that_sees_it(bool isValue)
    {
        const int Keys = 200, Poisoned = 70;
        bool[] mask = Masks.Of(1, 2, Keys, static (_, i, j) => i == 0 || j != Poisoned);
        var call = new Case(1, 1, AttentionMask.None, new(1, 1, 1, 2, Keys)) { KeyBlock = 1, BooleanMask = new(mask, new(1, 1, 2, Keys)) };
        Inputs inputs = Inputs.Normal(call), poisoned = inputs.Copy();
        inputs.Query[0] = poisoned.Query[0] = 1;
        if (isValue)
            poisoned.Value[Poisoned] = float.NaN;
        else
            poisoned.Key[Poisoned] = float.PositiveInfinity;
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            AttentionKernel kernel = call.Kernel.For(set);
            Outputs<float> clean = call.Run(kernel, inputs), actual = call.Run(kernel, poisoned);
            Assert.Equal(float.NaN, actual.Output[0]);
            Assert.Equal(isValue, float.IsFinite(actual.LogSumExp[0]));
            Compare.SameBits($"{kernel.Name}, output of the query that does not see it", clean.Output.AsSpan(1), actual.Output.AsSpan(1));
            Compare.SameBits($"{kernel.Name}, its logSumExp", clean.LogSumExp.AsSpan(1), actual.LogSumExp.AsSpan(1));
        }
    }

    /// <summary>The maxima of splits are up to 6·10³⁸ apart, more than a float holds: the largest has all of the weight.</summary>
    [Fact]
    public static void Splits_with_far_maxima_leave_the_largest()
    {
        const int Keys = 96, Largest = 40;
        float[] query = [1], key = [.. Enumerable.Repeat(-3e38f, Keys)], value = [.. Enumerable.Range(0, Keys).Select(static j => (float)j)];
        key[Largest] = 3e38f;
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim: 1);
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            float[] output = new float[1], logSumExp = new float[1];
            kernel.For(set).Forward(query, key, value, new AttentionOutput(output, logSumExp), new(1, 1, 1, 1, Keys), execution: new() { KeyBlock = 1 });
            Assert.Equal(Largest, output[0]);
            Assert.Equal(3e38f, logSumExp[0]);
        }
    }

    /// <summary>All scores are 0, and a sink of ln n: half of the weight, counted once for all splits.</summary>
    [Fact]
    public static void Sink_is_counted_once()
    {
        const int Keys = 320;
        float[] zeros = new float[Keys], value = [.. Enumerable.Repeat(8f, Keys)];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(headDim: 1, features: AttentionFeatures.Sinks);
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            float[] output = new float[1], logSumExp = new float[1];
            kernel.For(set).Forward(zeros.AsSpan(0, 1), zeros, value, new AttentionOutput(output, logSumExp), new(1, 1, 1, 1, Keys), new() { Sinks = [MathF.Log(Keys)] }, new() { KeyBlock = 1 });
            Assert.Equal(4, output[0], 4e-6f);
            Assert.Equal(Math.Log(2 * Keys), logSumExp[0], 2e-6);
        }
    }
}
