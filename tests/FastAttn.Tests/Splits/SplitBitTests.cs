using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Splits;

/// <summary>
/// What the bits of few queries do not depend on where their keys are cut into splits. With key blocks of 1 a split has 32 keys, so that small
/// calls have many.
/// </summary>
public static class SplitBitTests
{
    public static TheoryData<AttentionFeatures> Features => [.. FeatureCases.EachAndAll];

    /// <summary>Enough multiply-adds for 8 threads, and 1 to 94 splits.</summary>
    /// <param name="keys">All keys.</param>
    /// <param name="keyBlock">A split has 32 times as many.</param>
    [Theory]
    [InlineData(3000, 1)]
    [InlineData(3000, 3)]
    [InlineData(3000, 47)]
    [InlineData(3073, null)]
    [InlineData(9300, null)]
    public static void Number_of_threads_changes_no_bit(int keys, int? keyBlock)
    {
        var call = new Case(64, 64, AttentionMask.Causal, new(1, 8, 1, 2, keys)) { KeyBlock = keyBlock };
        bool[] mask = Masks.Draw(new Random(keys), 1, 8, 2, keys);
        AttentionMaskSizes sizes = new(1, 8, 2, keys);
        Case[] forms =
        [
            call,
            call with { Shape = new(1, 8, 8, 2, keys), Layout = AttentionLayout.BatchLengthHeadDim },
            call with { Window = AttentionWindow.Sliding(keys / 2) },
            call with { Sinks = [.. Enumerable.Range(0, 8).Select(static head => head == 3 ? float.NegativeInfinity : 4f - head)] },
            call with { AlibiSlopes = AlibiSlopes.For(8), Softcap = 20 },
            call with { AdditiveMask = new(Masks.Additive(mask), sizes) },
            call with { BooleanMask = new(mask, sizes), AlibiSlopes = AlibiSlopes.For(8) },
            call with { Shape = new(3, 4, 2, 2, keys), KeyLengths = [keys, keys / 3, 20] },
            call with { Shape = new(4, 4, 2, 40, keys), QueryStarts = [0, 2, 42, 43, 45], KeyStarts = [0, keys, keys + 50, keys + 60, 2 * keys] },
        ];
        foreach (Case form in Budget.IsSmall ? forms[..3] : forms)
        {
            Inputs inputs = Inputs.Normal(form);
            foreach (AttentionKernel kernel in Kernels(form))
            {
                Outputs<float> expected = form.Run(kernel, inputs);
                foreach (int threads in (int[])[2, 3, 8])
                {
                    Case threaded = form with { Threads = threads };
                    Compare.SameBits($"{kernel.Name}: {threaded}", expected, threaded.Run(kernel, inputs));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Features))]
    public static void Batch_that_a_sequence_is_part_of_changes_no_bit(AttentionFeatures features)
    {
        foreach (int queryLength in (int[])[1, 2, 5, 40])
        {
            int keyLength = 150 + Budget.Of(10, 1) * queryLength;
            Case whole = FeatureCases.DrawFor(features, queryLength, call => call with { Shape = new(3, 4, 2, queryLength, keyLength), KeyBlock = 1, Threads = 2 });
            CheckSequences(whole);
        }
    }

    /// <summary>A long prompt, and sequences of one or two new tokens with many keys and with few.</summary>
    [Fact]
    public static void Few_queries_beside_many_change_no_bit()
    {
        var ragged = new Case(16, 16, AttentionMask.Causal, new(5, 4, 2, 60, 200))
        {
            QueryStarts = [0, 1, 61, 63, 63, 64],
            KeyStarts = [0, 200, 260, 420, 430, 463],
            KeyBlock = 1,
            Threads = 2,
        };
        CheckSequences(ragged);
        CheckSequences(ragged with { QueryStarts = null, KeyStarts = null, QueryLengths = [1, 60, 2, 0, 1], KeyLengths = [200, 60, 160, 10, 33] });
    }

    /// <summary>The heads of a group see keys of other splits each, and some see none: what one of them sees alone is the same.</summary>
    [Fact]
    public static void Splits_that_other_heads_see_change_no_bit()
    {
        const int Heads = 6, Keys = 200;
        (int Start, int Limit)[] seen = [(0, 200), (40, 50), (60, 70), (199, 200), (0, 0), (0, 32)];
        bool[] mask = Masks.Of(Heads, 1, Keys, (h, _, j) => j >= seen[h].Start && j < seen[h].Limit);
        var grouped = new Case(16, 16, AttentionMask.None, new(1, Heads, 1, 1, Keys)) { KeyBlock = 1, BooleanMask = new(mask, new(1, Heads, 1, Keys)) };
        Inputs inputs = Inputs.Normal(grouped);
        foreach (Case form in (Case[])[grouped, grouped with { Sinks = [1, 2, 3, 4, 5, float.NegativeInfinity] }])
        {
            foreach (AttentionKernel kernel in Kernels(form))
            {
                Outputs<float> actual = form.Run(kernel, inputs);
                for (int h = 0; h < Heads; h++)
                {
                    Case alone = form with { Shape = new(1, 1, 1, 1, Keys), BooleanMask = new(mask[(h * Keys)..((h + 1) * Keys)], new(1, 1, 1, Keys)), Sinks = form.Sinks is null ? null : [form.Sinks[h]] };
                    Outputs<float> expected = alone.Run(kernel, inputs with { Query = inputs.Query[(h * 16)..((h + 1) * 16)] });
                    Compare.SameBits($"{kernel.Name}: head {h} of {form}, output", expected.Output, actual.Output.AsSpan(h * 16, 16));
                    Compare.SameBits($"{kernel.Name}: head {h} of {form}, logSumExp", expected.LogSumExp, actual.LogSumExp.AsSpan(h, 1));
                }
            }
        }
    }

    /// <summary>Padding that a mask, a length, a causal mask or a window hides, and a sequence without it.</summary>
    /// <param name="keys">Keys that are seen: part of a split, one, and several. With the kernel's key blocks a split has 3072.</param>
    /// <param name="keyBlock">As above.</param>
    [Theory]
    [InlineData(20, 1)]
    [InlineData(32, 1)]
    [InlineData(33, 1)]
    [InlineData(100, 1)]
    [InlineData(3072, null)]
    [InlineData(3080, null)]
    public static void Hidden_keys_after_those_that_are_seen_change_no_bit(int keys, int? keyBlock)
    {
        int all = 3 * keys;
        var alone = new Case(16, 16, AttentionMask.None, new(1, 2, 2, 1, keys)) { Layout = AttentionLayout.BatchLengthHeadDim, KeyBlock = keyBlock };
        Case padded = alone with { Shape = new(1, 2, 2, 1, all) };
        Inputs inputs = Inputs.Normal(padded), seen = inputs with { Key = inputs.Key[..(keys * 32)], Value = inputs.Value[..(keys * 32)] };
        bool[] mask = Masks.Of(1, 1, all, (_, _, j) => j < keys);
        Case[] forms =
        [
            padded with { BooleanMask = new(mask, new(1, 1, 1, all)) },
            padded with { AdditiveMask = new(Masks.Additive(mask), new(1, 1, 1, all)) },
            padded with { BooleanMask = new(mask[..keys], new(1, 1, 1, keys)) },
            padded with { KeyLengths = [keys] },
            padded with { Mask = AttentionMask.Causal, PositionOffset = keys - 1 },
            padded with { Window = new(null, 0), PositionOffset = keys - 1 },
        ];
        foreach (AttentionKernel kernel in Kernels(alone))
        {
            Outputs<float> expected = alone.Run(kernel, seen);
            foreach (Case form in forms)
                Compare.SameBits($"{kernel.Name}: {form}", expected, form.Run(form.Kernel.For(kernel.InstructionSet), inputs));
        }
    }

    private static void CheckSequences(Case whole)
    {
        Inputs inputs = Inputs.Normal(whole);
        foreach (AttentionKernel kernel in Kernels(whole))
        {
            Outputs<float> actual = whole.Run(kernel, inputs);
            for (int b = 0; b < whole.Shape.Batch; b++)
            {
                Sequence sequence = Sequence.Of(whole, b);
                Compare.SameBits($"{kernel.Name}: {whole}, sequence {b}", sequence.Call.Run(kernel, sequence.InputsOf(inputs)), sequence.OutputsOf(actual));
            }
        }
    }

    private static IEnumerable<AttentionKernel> Kernels(Case call) => InstructionSets.Supported.Where(static set => set != InstructionSet.Scalar || !Budget.IsSmall).Select(call.Kernel.For);
}
