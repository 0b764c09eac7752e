using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Keys in another order, and keys in parts whose states are merged: the same result, up to rounding.</summary>
public static class MergeTests
{
    // The contract for one result on N(0, 1) inputs, which over so many keys is met with room to spare: the
    // largest error of one is some 3e-7, and here are two.
    private const double Tolerance = 1e-6;

    // A log-sum-exp of 250 keys lies between 4 and 8, where half an ulp is 2⁻²²: twice that for either way to compute it.
    private const double LogSumExpTolerance = 1.0 / (1 << 20);

    private const int Keys = 250;

    [Fact]
    public static void Order_of_the_keys_does_not_matter() => ForCalls(static (call, bound, inputs, random) =>
    {
        // Where keys stand matters to windows and ALiBi alone.
        Case masked = FeatureCases.Draw(random, call, AttentionFeatures.Softcap | AttentionFeatures.Sinks);
        float[] bias = [.. Enumerable.Range(0, Keys).Select(_ => random.Next(5) == 0 ? float.NegativeInfinity : 2 * random.NextSingle())];
        int[] order = [.. Enumerable.Range(0, Keys)];
        random.Shuffle(order);
        AttentionMaskSizes sizes = new(1, 1, 1, Keys);
        Outputs<float> expected = (masked with { AdditiveMask = new(bias, sizes) }).Run(bound, inputs);
        Outputs<float> actual = (masked with { AdditiveMask = new([.. order.Select(j => bias[j])], sizes) }).Run(
            bound, new(inputs.Query, Permuted(inputs.Key, call.KeyRows, order), Permuted(inputs.Value, call.ValueRows, order)));
        AssertClose($"{bound.Name}: {masked}", expected, actual);
    });

    [Fact]
    public static void Parts_of_the_keys_merge_to_the_whole() => ForCalls(static (call, bound, inputs, random) =>
    {
        int[] cuts = [0, .. Enumerable.Range(0, 3).Select(_ => random.Next(Keys + 1)).Order(), Keys];
        Outputs<float>[] parts = [.. cuts.Zip(cuts.Skip(1), (from, to) => Part(call, bound, inputs, from, to))];
        Outputs<float> expected = call.Run(bound, inputs);
        AssertClose($"{bound.Name}: {call}, keys cut at {string.Join(", ", cuts)}", expected, parts.Aggregate((left, right) => Merged(call, left, right)));
    });

    [Fact]
    public static void Merging_is_associative_and_commutative() => ForCalls(static (call, bound, inputs, random) =>
    {
        int first = random.Next(Keys + 1), second = random.Next(first, Keys + 1);
        Outputs<float> a = Part(call, bound, inputs, 0, first), b = Part(call, bound, inputs, first, second), c = Part(call, bound, inputs, second, Keys);
        string what = $"{bound.Name}: {call}, keys cut at {first}, {second}";
        Outputs<float> expected = Merged(call, Merged(call, a, b), c);
        AssertClose($"{what}, a(bc)", expected, Merged(call, a, Merged(call, b, c)));
        AssertClose($"{what}, c(ba)", expected, Merged(call, c, Merged(call, b, a)));
    });

    /// <summary>Sequences of keys, each query a batch of its own, as with a cache in parts: windows and biases included.</summary>
    [Fact]
    public static void Parts_with_biases_and_windows_merge_to_the_whole() => ForCalls(static (call, bound, inputs, random) =>
    {
        int cut = random.Next(Keys + 1), queries = call.Shape.QueryLength;
        Case biased = call with
        {
            Mask = AttentionMask.Causal,
            PositionOffset = Keys - queries,
            Window = new(150, null),
            AlibiSlopes = [.. Enumerable.Repeat(1 / 64f, call.Shape.QueryHeads)],
            Softcap = 5,
        };
        AttentionKernel causal = biased.Kernel.For(bound.InstructionSet);
        Outputs<float> left = Part(biased, causal, inputs, 0, cut), right = Part(biased, causal, inputs, cut, Keys);
        AssertClose($"{bound.Name}: {biased}, keys cut at {cut}", biased.Run(causal, inputs), Merged(biased, left, right));
    });

    [Fact]
    public static void Merge_takes_any_place_of_the_rows_and_leaves_what_is_between()
    {
        foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.OfLayout, RowPlacement.Padded, RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost])
        {
            foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
            {
                Case call = new(16, 13, AttentionMask.None, new(2, 3, 3, 5, 40)) { Output = placement, Layout = layout };
                Case dense = call with { Output = RowPlacement.OfLayout, Layout = AttentionLayout.BatchHeadLengthDim };
                var random = new Random(1);
                Outputs<float> one = Draw(call, random), other = Draw(call, random);
                Outputs<float> denseOne = new(call.OutputRows.Gather(one.Output), [.. one.LogSumExp]), denseOther = new(call.OutputRows.Gather(other.Output), [.. other.LogSumExp]);
                call.OutputRows.Output(one).Merge(call.OutputRows.Output(other), call.GivenShape, call.ValueDim);
                dense.OutputRows.Output(denseOne).Merge(dense.OutputRows.Output(denseOther), dense.GivenShape, dense.ValueDim);
                Compare.SameBits($"{call}", denseOne, new(call.OutputRows.Gather(one.Output), one.LogSumExp));
                Compare.GapsAreUntouched(ScaledDotProductAttention.GetKernel(16, valueDim: 13), call, one);
            }
        }

        static Outputs<float> Draw(Case call, Random random)
        {
            Outputs<float> state = new(new float[call.OutputRows.Elements], new float[call.LogSumExpElements]);
            bool[] owned = call.OutputRows.Owned();
            for (int i = 0; i < owned.Length; i++)
                state.Output[i] = owned[i] ? random.NextSingle() : Canary.Value;
            foreach (ref float logSumExp in state.LogSumExp.AsSpan())
                logSumExp = random.Next(4) == 0 ? float.NegativeInfinity : 10 * random.NextSingle() - 5;
            return state;
        }
    }

    /// <summary>e^±200 and more are no floats: weights are of differences.</summary>
    [Fact]
    public static void Merge_of_far_apart_and_huge_states_is_finite()
    {
        foreach (float logSumExp in (float[])[-1e4f, -200, 200, 1e4f, 1e30f])
        {
            float[] output = [1], sum = [logSumExp];
            new AttentionOutput(output, sum).Merge(new AttentionOutput([3], [logSumExp]), new(1, 1, 1), 1);

            // Equal weights, exact in binary; ln 2 on top, within half an ulp of so large a number.
            Assert.Equal(2, output[0]);
            Assert.Equal((float)(logSumExp + Math.Log(2)), sum[0]);
            new AttentionOutput(output, sum).Merge(new AttentionOutput([7], [-1e30f]), new(1, 1, 1), 1);
            Assert.Equal(2, output[0]);
        }
    }

    private static void ForCalls(Action<Case, AttentionKernel, Inputs, Random> check)
    {
        for (int seed = 0; seed < Budget.Of(8, 2); seed++)
        {
            foreach (int queryLength in (int[])[1, 30])
            {
                var random = new Random(seed);
                int dim = random.Next(2) == 0 ? 64 : 45;
                var call = new Case(dim, dim, AttentionMask.None, new(1, 2, 1, queryLength, Keys)) { Seed = seed, Layout = (AttentionLayout)(seed % 2) };
                Inputs inputs = Inputs.Normal(call);
                foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
                    check(call, bound, inputs, new Random(seed));
            }
        }
    }

    private static float[] Permuted(float[] buffer, Rows rows, int[] order)
    {
        var permuted = new float[buffer.Length];
        for (int h = 0; h < rows.Heads; h++)
        {
            for (int j = 0; j < order.Length; j++)
                buffer.AsSpan(rows.Start(0, h, order[j]), rows.Dim).CopyTo(permuted.AsSpan(rows.Start(0, h, j)));
        }

        return permuted;
    }

    /// <summary>The state over keys <paramref name="from"/> to <paramref name="to"/>, which stay where they are.</summary>
    private static Outputs<float> Part(Case call, AttentionKernel bound, Inputs inputs, int from, int to)
    {
        int offset = (call.PositionOffset ?? Keys - call.Shape.QueryLength) - from;
        Outputs<float> outputs = call.NewOutputs();
        ReadOnlySpan<float> key = inputs.Key.AsSpan(call.KeyRows.Start(0, 0, from)), value = inputs.Value.AsSpan(call.ValueRows.Start(0, 0, from));
        bound.Forward(
            inputs.Query, new(key, call.KeyRows.Strides), new(value, call.ValueRows.Strides), call.OutputRows.Output(outputs), call.GivenShape with { KeyLength = to - from },
            call.Options with { PositionOffset = offset }, call.Execution);
        return outputs;
    }

    private static Outputs<float> Merged(Case call, Outputs<float> left, Outputs<float> right)
    {
        Outputs<float> merged = new([.. left.Output], [.. left.LogSumExp]);
        call.OutputRows.Output(merged).Merge(call.OutputRows.Output(right), call.GivenShape, call.ValueDim);
        return merged;
    }

    private static void AssertClose(string what, Outputs<float> expected, Outputs<float> actual)
    {
        double output = Largest(expected.Output, actual.Output), logSumExp = Largest(expected.LogSumExp, actual.LogSumExp);
        Assert.True(output <= Tolerance, $"{what}: outputs differ by {output:G3}.");
        Assert.True(logSumExp <= LogSumExpTolerance, $"{what}: log-sum-exps differ by {logSumExp:G3}.");
    }

    /// <summary>NaN if there is one.</summary>
    private static double Largest(IEnumerable<float> expected, IEnumerable<float> actual) =>
        expected.Zip(actual, static (e, a) => e.Equals(a) ? 0 : Math.Abs((double)e - a)).Aggregate(0.0, Math.Max);
}
