using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Different ways to say the same, and what a query's result does not depend on: equal to the bit.</summary>
public static class EquivalenceTests
{
    /// <summary>All features at once, each alone, and random ones.</summary>
    public static TheoryData<AttentionFeatures> Features =>
    [
        .. Enum.GetValues<AttentionFeatures>().Where(static feature => feature is not (AttentionFeatures.None or AttentionFeatures.All)),
        AttentionFeatures.All & ~AttentionFeatures.Ragged,
        AttentionFeatures.All & ~AttentionFeatures.KeyLengths,
    ];

    [Fact]
    public static void Boolean_mask_equals_an_additive_one_of_0_and_minus_infinity() => ForMasks(
        static (call, mask, sizes) => call with { BooleanMask = mask, BooleanMaskStrides = AttentionMaskStrides.Of(sizes[0], sizes[1], sizes[2], sizes[3]) },
        static (call, mask, sizes) => call with { AdditiveMask = Masks.Additive(mask), AdditiveMaskStrides = AttentionMaskStrides.Of(sizes[0], sizes[1], sizes[2], sizes[3]) });

    [Fact]
    public static void Packed_mask_equals_a_boolean_one() => ForMasks(
        static (call, mask, sizes) => call with { PackedMask = Masks.Packed(mask, sizes[3]), PackedMaskStrides = AttentionMaskStrides.OfPacked(sizes[0], sizes[1], sizes[2], sizes[3]) },
        static (call, mask, sizes) => call with { BooleanMask = mask, BooleanMaskStrides = AttentionMaskStrides.Of(sizes[0], sizes[1], sizes[2], sizes[3]) });

    [Fact]
    public static void Mask_that_hides_nothing_equals_none() => ForMasks(
        static (call, mask, sizes) => call with { BooleanMask = [.. mask.Select(static _ => true)], BooleanMaskStrides = AttentionMaskStrides.Of(sizes[0], sizes[1], sizes[2], sizes[3]) },
        static (call, _, _) => call,
        coversAllKeys: true);

    /// <summary>A causal mask, padding and a window as a tensor, in each of its forms: what it hides at the ends of a row is not computed either.</summary>
    [Fact]
    public static void Explicit_masks_equal_the_declared_ones() => ForCalls(static (call, random) =>
    {
        AttentionShape shape = call.Call.Shape;
        (int queries, int keys) = (shape.QueryLength, shape.KeyLength);
        int left = random.Next(keys + 1), offset = call.Call.CausalOffset ?? keys - queries;
        int[] lengths = [.. Enumerable.Range(0, shape.Batch).Select(_ => random.Next(keys + 1))];
        FeatureCase plain = call with { Call = call.Call with { Mask = AttentionMask.None, CausalOffset = offset } };
        FeatureCase declared = random.Next(3) switch
        {
            0 => plain with { Call = plain.Call with { Mask = AttentionMask.Causal } },
            1 => plain with { KeyLengths = lengths },
            _ => plain with { Window = new(left, 0) },
        };
        bool[] mask = Masks.Of(shape.Batch, queries, keys, (b, i, j) => declared switch
        {
            { KeyLengths: not null } => j < lengths[b],
            { Window: not null } => j <= i + offset && j >= i + offset - left,
            _ => j <= i + offset,
        });
        FeatureCase @explicit = random.Next(3) switch
        {
            0 => plain with { AdditiveMask = Masks.Additive(mask), AdditiveMaskStrides = AttentionMaskStrides.Of(shape.Batch, 1, queries, keys) },
            1 => plain with { BooleanMask = mask, BooleanMaskStrides = AttentionMaskStrides.Of(shape.Batch, 1, queries, keys) },
            _ => plain with { PackedMask = Masks.Packed(mask, keys), PackedMaskStrides = AttentionMaskStrides.OfPacked(shape.Batch, 1, queries, keys) },
        };
        return (@explicit, declared);
    });

    [Fact]
    public static void Window_as_wide_as_all_keys_equals_none() => ForCalls(static (call, random) =>
    {
        // Wherever the diagonal is, no query is further than this from a key.
        AttentionShape shape = call.Call.Shape;
        int width = shape.KeyLength + shape.QueryLength + Math.Abs(call.Call.CausalOffset ?? 0);
        int? left = random.Next(2) == 0 ? width : null, right = random.Next(2) == 0 ? width : null;
        return (call with { Window = new(left ?? int.MaxValue, right) }, call);
    });

    [Fact]
    public static void Slopes_of_0_and_sinks_of_minus_infinity_equal_none() => ForCalls(static (call, _) =>
    {
        int heads = call.Call.Shape.QueryHeads;
        return (call with { AlibiSlopes = new float[heads], Sinks = [.. Enumerable.Repeat(float.NegativeInfinity, heads)] }, call);
    });

    [Fact]
    public static void Offsets_of_each_sequence_equal_one_for_all() => ForCalls(static (call, random) =>
    {
        AttentionShape shape = call.Call.Shape;
        int offset = random.Next(-shape.QueryLength, shape.KeyLength + 1);
        FeatureCase window = call with { Window = new(random.Next(50), null), AlibiSlopes = [.. Enumerable.Repeat(0.1f, shape.QueryHeads)] };
        return (window with { Call = window.Call with { CausalOffset = null }, CausalOffsets = [.. Enumerable.Repeat(offset, shape.Batch)] },
            window with { Call = window.Call with { CausalOffset = offset } });
    });

    /// <summary>Strides of 0 repeat the one head of keys and values for each query head.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Grouped_heads_equal_repeated_heads(AttentionFeatures features)
    {
        foreach (int queryLength in Budget.IsSmall ? [2, 20] : (int[])[1, 2, 5, 9, 20, 50])
        {
            FeatureCase grouped = DrawFor(features, queryLength, static call => call with { Shape = call.Shape with { QueryHeads = 6, KeyValueHeads = 1 }, Key = RowPlacement.Repeated, Value = RowPlacement.Repeated });
            FeatureCase repeated = grouped with { Call = grouped.Call with { Shape = grouped.Call.Shape with { KeyValueHeads = 6 } } };
            Inputs inputs = grouped.Normal();
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(grouped.Kernel.For))
                Compare.SameBits($"{bound.Name}: {grouped}", repeated.Run(bound, inputs), grouped.Run(bound, inputs));
        }
    }

    /// <summary>Padded and ragged: a sequence alone, its rows copied out, has the same results.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Sequence_of_a_batch_equals_a_call_of_its_own(AttentionFeatures features)
    {
        foreach (int queryLength in Budget.IsSmall ? [2, 20] : (int[])[1, 2, 5, 9, 20, 50])
        {
            FeatureCase whole = DrawFor(features, queryLength, static call => call with { Shape = call.Shape with { Batch = 3, QueryHeads = 4, KeyValueHeads = 2 } });
            Inputs inputs = whole.Normal();
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(whole.Kernel.For))
            {
                Outputs<float> actual = whole.Run(bound, inputs);
                for (int b = 0; b < whole.Call.Shape.Batch; b++)
                {
                    Sequence sequence = Sequence.Of(whole, b);
                    Compare.SameBits($"{bound.Name}: {whole}, sequence {b}", sequence.Call.Run(bound, sequence.InputsOf(inputs)), sequence.OutputsOf(actual));
                }
            }
        }
    }

    [Theory]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.Ragged)]
    [InlineData(AttentionFeatures.All & ~AttentionFeatures.KeyLengths)]
    [InlineData(AttentionFeatures.Window | AttentionFeatures.Ragged)]
    [InlineData(AttentionFeatures.BooleanMask)]
    public static void Number_of_threads_changes_no_bit(AttentionFeatures features)
    {
        // Enough multiply-adds for 16 threads at 2 million each (TiledJob.WorkPerThread), where that is affordable.
        int length = Budget.Of(180, 60);
        FeatureCase call = DrawFor(features, length, call => call with { Shape = new(2, 4, 2, length, length) });
        Inputs inputs = call.Normal();
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
        {
            Outputs<float> expected = call.Run(bound, inputs);
            foreach (int threads in Budget.IsSmall ? [2, 3] : (int[])[2, 3, 7, 16, 0])
            {
                FeatureCase threaded = call with { Call = call.Call with { Threads = threads } };
                Compare.SameBits($"{bound.Name}: {threaded}", expected, threaded.Run(bound, inputs));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Features))]
    public static void Asking_for_the_log_sum_exp_changes_no_bit(AttentionFeatures features)
    {
        foreach (int queryLength in (int[])[2, 30])
        {
            FeatureCase call = DrawFor(features, queryLength, static call => call);
            Inputs inputs = call.Normal();
            var expected = new float[call.Storage.OutputRows.Elements];
            var actual = new float[expected.Length];
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                call.Run(bound, inputs).Output.CopyTo(expected, 0);
                Array.Fill(actual, Evaluate.Canary);
                bound.Forward(inputs.Query, inputs.Key, inputs.Value, actual, call.Call.Shape, call.Modifiers, call.Options);
                Compare.SameBits($"{bound.Name}: {call}", expected, actual);
            }
        }
    }

    /// <summary>What is called without a kernel is the kernel of all features.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Call_without_a_kernel_equals_one_with(AttentionFeatures features)
    {
        FeatureCase call = DrawFor(features, 30, static call => call);
        Case storage = call.Storage;
        Inputs inputs = call.Normal();
        Outputs<float> actual = new([.. Enumerable.Repeat(Evaluate.Canary, storage.OutputRows.Elements)], new float[storage.LogSumExpElements]);
        ScaledDotProductAttention.Forward(
            inputs.Query, inputs.Key, inputs.Value, actual.Output, actual.LogSumExp, call.Call.Shape, storage.HeadDim, call.Modifiers, storage.ValueDim, storage.Mask, call.Options);
        Compare.SameBits(call.ToString(), call.Run(call.Kernel, inputs), actual);

        Array.Fill(actual.Output, Evaluate.Canary);
        ScaledDotProductAttention.Forward(inputs.Query, inputs.Key, inputs.Value, actual.Output, call.Call.Shape, storage.HeadDim, call.Modifiers, storage.ValueDim, storage.Mask, call.Options);
        Compare.SameBits(call.ToString(), call.Run(call.Kernel, inputs).Output, actual.Output);
    }

    /// <summary>A projection's output, [Q heads | K heads | V heads] of each token, as it is or taken apart.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Packed_tokens_equal_separate_buffers(AttentionFeatures features)
    {
        foreach (int length in (int[])[3, 30])
        {
            FeatureCase call = DrawFor(features, length, call => call with { Layout = AttentionLayout.BatchLengthHeadDim, Shape = call.Shape with { KeyLength = length } });
            if (call.QueryStarts is not null)
                call = call with { KeyStarts = call.QueryStarts };
            Inputs inputs = call.Normal();
            Case storage = call.Storage;
            int q = storage.Shape.QueryHeads * storage.HeadDim, k = storage.Shape.KeyValueHeads * storage.HeadDim, v = storage.Shape.KeyValueHeads * storage.ValueDim;
            float[] packed =
            [
                .. Enumerable.Range(0, inputs.Query.Length / q).SelectMany(token => (float[])
                    [.. inputs.Query.AsSpan(token * q, q), .. inputs.Key.AsSpan(token * k, k), .. inputs.Value.AsSpan(token * v, v)]),
            ];
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                var actual = new float[storage.OutputRows.Elements];
                bound.ForwardPacked(packed, actual, call.Call.Shape, call.Modifiers, call.Options with { Layout = default });
                Compare.SameBits($"{bound.Name}: {call}", call.Run(bound, inputs).Output, actual);
            }
        }
    }

    /// <summary>Draws calls and compares two forms of each.</summary>
    private static void ForCalls(Func<FeatureCase, Random, (FeatureCase First, FeatureCase Second)> forms)
    {
        for (int seed = 0; seed < Budget.Of(40, 8); seed++)
        {
            var random = new Random(seed);
            (FeatureCase first, FeatureCase second) = forms(new FeatureCase(FeatureCases.DrawCall(random)), random);
            Inputs inputs = first.Normal();
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                Compare.SameBits(
                    $"{instructionSet}: {first} against {second}",
                    second.Run(second.Kernel.For(instructionSet), inputs),
                    first.Run(first.Kernel.For(instructionSet), inputs));
            }
        }
    }

    /// <summary>Draws calls and masks that repeat some axes, and compares two forms of each.</summary>
    private static void ForMasks(Func<FeatureCase, bool[], int[], FeatureCase> first, Func<FeatureCase, bool[], int[], FeatureCase> second, bool coversAllKeys = false) => ForCalls((call, random) =>
    {
        AttentionShape shape = call.Call.Shape;
        int[] sizes =
        [
            random.Next(2) == 0 ? 1 : shape.Batch,
            random.Next(2) == 0 ? 1 : shape.QueryHeads,
            random.Next(3) == 0 ? 1 : shape.QueryLength,
            coversAllKeys || random.Next(3) > 0 ? shape.KeyLength : random.Next(shape.KeyLength + 1),
        ];
        bool[] mask = Masks.Draw(random, sizes[0], sizes[1], sizes[2], sizes[3]);
        return (first(call, mask, sizes), second(call, mask, sizes));
    });

    private static FeatureCase DrawFor(AttentionFeatures features, int queryLength, Func<Case, Case> change)
    {
        var random = new Random((int)features + queryLength);
        Case call = change(new Case(random.Next(2) == 0 ? 64 : 45, random.Next(2) == 0 ? 64 : 37, (AttentionMask)random.Next(2), new(2, 4, 2, queryLength, 60 + random.Next(60))) { Seed = queryLength });
        return FeatureCases.Draw(random, call, features);
    }
}
