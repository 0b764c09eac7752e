using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>NaN, infinities and huge numbers: they reach the queries that see them, and no others, whatever hides them.</summary>
public static class PoisonTests
{
    private static readonly float SignallingNaN = BitConverter.Int32BitsToSingle(0x7F80_0001);

    private static readonly float[] Poisons = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, SignallingNaN, float.MaxValue];

    public static TheoryData<string> Kernels => TestKernels.FewNames;

    public static TheoryData<string> CausalKernels => [.. TestKernels.Few.Where(static kernel => kernel.Mask == AttentionMask.Causal).Select(TestKernels.NameOf)];

    /// <summary>What may hide a key.</summary>
    public static TheoryData<string> Kinds => ["key lengths", "ragged", "window", "additive", "additive for some", "boolean", "boolean for some", "bit", "bit for some", "short mask", "all"];

    [Theory]
    [MemberData(nameof(CausalKernels))]
    public static void Masked_key_or_value_never_reaches_the_output(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (Case call in CausalCases(kernel))
        {
            int keys = call.Shape.KeyLength;
            CheckEach(kernel, call, keyValueHead: call.Shape.KeyValueHeads - 1, Seen(call), Budget.IsSmall ? [keys / 2] : [0, keys / 2, keys - 1]);
        }
    }

    /// <summary>Poison in every key and value that some query does not see, one at a time and all that none sees at once.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Hidden_key_or_value_never_reaches_the_output(string kind)
    {
        foreach ((int queryLength, bool softcap) in Budget.IsSmall ? [(3, false), (20, true)] : ((int, bool)[])[(1, false), (3, true), (30, false)])
        {
            Case call = Hide(kind, queryLength, softcap);
            bool[][] seen = Seen(call);
            CheckEach(call.Kernel, call, keyValueHead: 0, seen, KeysToPoison(call, seen));
        }
    }

    /// <summary>As the rest of a cache that is longer than what is in it.</summary>
    [Theory]
    [MemberData(nameof(CausalKernels))]
    public static void Keys_and_values_that_no_query_sees_may_hold_anything(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            foreach (float poison in Poisons)
            {
                // The last query sees all keys but the last 40.
                var call = new Case(kernel, new(1, 2, 1, 50, 140)) { PositionOffset = 50, Value = RowPlacement.RoundedUp };
                Inputs clean = Inputs.Normal(call), poisoned = clean.Copy();
                for (int key = 100; key < 140; key++)
                {
                    poisoned.Key.AsSpan(call.KeyRows.Start(0, 0, key), call.HeadDim).Fill(poison);
                    poisoned.Value.AsSpan(call.ValueRows.Start(0, 0, key), call.ValueDim).Fill(poison);
                }

                Compare.SameBits($"{bound.Name}: {call}: {poison}", call.Run(bound, clean), call.Run(bound, poisoned));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Poison_in_one_query_reaches_its_row_alone(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (int queryLength in Budget.IsSmall ? [3, 40] : (int[])[3, 8, 40, 65])
        {
            var call = new Case(kernel, new(1, 2, 1, queryLength, 70)) { Query = RowPlacement.Padded };
            Inputs clean = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
            {
                Outputs<float> expected = call.Run(bound, clean);
                foreach (float poison in Poisons)
                {
                    int head = queryLength % 2, query = queryLength / 2, row = head * queryLength + query;
                    Inputs poisoned = clean.Copy();
                    poisoned.Query[call.QueryRows.Start(0, head, query) + call.HeadDim / 2] = poison;
                    Outputs<float> actual = call.Run(bound, poisoned);
                    string what = $"{bound.Name}: {call}: {poison} in query ({head}, {query})";

                    // Whether sums with float.MaxValue overflow depends on their order.
                    if (poison != float.MaxValue)
                    {
                        Outputs<float> naive = call.Naive(poisoned);
                        Compare.SameClass(what, naive.Output, actual.Output);
                        Compare.SameClass(what, naive.LogSumExp, actual.LogSumExp);
                    }

                    expected.Output.AsSpan(row * call.ValueDim, call.ValueDim).CopyTo(actual.Output.AsSpan(row * call.ValueDim));
                    actual.LogSumExp[row] = expected.LogSumExp[row];
                    Compare.SameBits(what, expected, actual);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Poison_in_stride_gaps_never_reaches_the_output(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.Padded, RowPlacement.PaddedTokens, RowPlacement.RoundedUp])
            {
                foreach (int queryLength in Budget.IsSmall ? [1, 30] : (int[])[1, 30, 60])
                {
                    var call = new Case(kernel, new(2, 2, 2, queryLength, 101)) { Query = placement, Key = placement, Value = placement };
                    Inputs poisoned = Inputs.Normal(call), clean = poisoned.Copy();
                    foreach (float[] buffer in (float[][])[clean.Query, clean.Key, clean.Value])
                        buffer.AsSpan().Replace(float.NaN, 0);
                    Compare.SameBits($"{bound.Name}: {call}", call.Run(bound, clean), call.Run(bound, poisoned));
                }
            }
        }
    }

    /// <summary>Elements of a mask that belong to keys which another one hides, as in a buffer that was never written there.</summary>
    [Fact]
    public static void Hidden_element_of_a_mask_never_reaches_the_output()
    {
        foreach (int queryLength in (int[])[3, 30])
        {
            const int Keys = 90, Hidden = 30;
            var call = new Case(16, 16, AttentionMask.Causal, new(1, 2, 1, queryLength, Keys))
            {
                PositionOffset = Keys - Hidden - queryLength,
                KeyLengths = [Keys - 10],
                AdditiveMask = new(new float[queryLength * Keys], new(1, 1, queryLength, Keys)),
            };
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> expected = call.Run(bound, inputs);
                foreach (float poison in Poisons)
                {
                    // Query i sees the keys up to i + offset.
                    float[] mask = [.. Enumerable.Range(0, queryLength * Keys).Select(n => n % Keys > n / Keys + Keys - Hidden - queryLength ? poison : 0)];
                    Compare.SameBits($"{bound.Name}: {call}: {poison}", expected, (call with { AdditiveMask = mask }).Run(bound, inputs));
                }
            }
        }
    }

    /// <summary>A mask that was left out by its strides: rows of a wider one.</summary>
    [Fact]
    public static void Elements_between_the_rows_of_a_mask_do_not_matter()
    {
        foreach (int queryLength in (int[])[2, 30])
        {
            const int Keys = 77, Row = 96;
            var random = new Random(queryLength);
            bool[] attends = Masks.Draw(random, 1, 1, queryLength, Keys);
            var dense = new Case(16, 16, AttentionMask.None, new(1, 2, 1, queryLength, Keys));
            Inputs inputs = Inputs.Normal(dense);
            AttentionMaskSizes sizes = new(1, 1, queryLength, Keys);
            AttentionMaskStrides strides = new(0, 0, Row);
            Case additive = dense with { AdditiveMask = new(Masks.Additive(attends), sizes) };
            Case boolean = dense with { BooleanMask = new(attends, sizes) };
            Case bits = dense with { BitMask = new(Masks.Bits(attends, Keys), sizes) };
            var wideAdditive = new float[queryLength * Row];
            var wideBoolean = new bool[queryLength * Row];
            var wideBits = new byte[queryLength * Row / 8];
            Array.Fill(wideAdditive, float.NaN);
            Array.Fill(wideBoolean, true);
            Array.Fill(wideBits, byte.MaxValue);
            for (int i = 0; i < queryLength; i++)
            {
                additive.AdditiveMask!.Elements.AsSpan(i * Keys, Keys).CopyTo(wideAdditive.AsSpan(i * Row));
                attends.AsSpan(i * Keys, Keys).CopyTo(wideBoolean.AsSpan(i * Row));
                bits.BitMask!.Elements.AsSpan(i * 10, 10).CopyTo(wideBits.AsSpan(i * Row / 8));
            }

            foreach (AttentionKernel bound in InstructionSets.Supported.Select(dense.Kernel.For))
            {
                Outputs<float> expected = additive.Run(bound, inputs);
                Compare.SameBits($"{bound.Name}: additive", expected, (additive with { AdditiveMask = new(wideAdditive, sizes, strides) }).Run(bound, inputs));
                Compare.SameBits($"{bound.Name}: boolean", expected, (boolean with { BooleanMask = new(wideBoolean, sizes, strides) }).Run(bound, inputs));
                Compare.SameBits($"{bound.Name}: bits", expected, (bits with { BitMask = new(wideBits, sizes, strides) }).Run(bound, inputs));
            }
        }
    }

    /// <summary>NaN in a mask, a key or a value that is seen must not be lost by what makes hidden ones harmless.</summary>
    [Fact]
    public static void NaN_of_a_mask_that_is_seen_reaches_its_row_alone()
    {
        foreach (int queryLength in (int[])[3, 30])
        {
            var call = new Case(16, 16, AttentionMask.None, new(1, 2, 1, queryLength, 50)) { AdditiveMask = new(new float[queryLength * 50], new(1, 1, queryLength, 50)) };
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> expected = call.Run(bound, inputs);
                float[] mask = new float[queryLength * 50];
                mask[50 + 7] = float.NaN;
                Outputs<float> actual = (call with { AdditiveMask = mask }).Run(bound, inputs);
                for (int h = 0; h < 2; h++)
                {
                    Assert.True(actual.Output.AsSpan(call.OutputRows.Start(0, h, 1), 16).ToArray().All(float.IsNaN), $"{bound.Name}: row 1 of head {h} has no NaN.");
                    expected.Output.AsSpan(call.OutputRows.Start(0, h, 1), 16).CopyTo(actual.Output.AsSpan(call.OutputRows.Start(0, h, 1)));
                    actual.LogSumExp[h * queryLength + 1] = expected.LogSumExp[h * queryLength + 1];
                }

                Compare.SameBits($"{bound.Name}: {call}", expected, actual);
            }
        }
    }

    private static Case[] CausalCases(AttentionKernel kernel) =>
    [
        new(kernel, new(1, 1, 1, 33, 33)) { Seed = 1 },
        new(kernel, new(1, 2, 1, 50, 110)) { Seed = 2, Value = RowPlacement.RoundedUp },
        new(kernel, new(1, 2, 2, 100, 40)) { Seed = 3, Key = RowPlacement.Padded, Value = RowPlacement.Padded },
        new(kernel, new(1, 4, 2, 5, 9)) { Seed = 4, PositionOffset = 1 },
        new(kernel, new(1, 1, 1, 3, 7)) { Seed = 5, PositionOffset = 2 },
        new(kernel, new(1, 4, 1, 20, 30)) { Seed = 6, PositionOffset = 0, KeyBlock = 5, Layout = AttentionLayout.BatchLengthHeadDim },
    ];

    private static Case Hide(string kind, int queryLength, bool softcap)
    {
        const int Keys = 110;
        var random = new Random(queryLength);
        var shape = new AttentionShape(2, 2, 1, queryLength, Keys);
        var call = new Case(31, 64, AttentionMask.None, shape) { Seed = queryLength, Value = RowPlacement.RoundedUp, Softcap = softcap ? 5 : null };
        bool forSome = kind.EndsWith("for some", StringComparison.Ordinal);
        int maskQueries = forSome || kind == "all" ? queryLength : 1;
        bool[] mask = Masks.Of(1, maskQueries, Keys, (_, _, _) => random.Next(3) > 0);
        AttentionMaskSizes sizes = new(1, 1, maskQueries, Keys);
        return kind switch
        {
            "key lengths" => call with { KeyLengths = [70, 99] },
            "ragged" => call with { QueryStarts = [0, queryLength, queryLength + queryLength / 2], KeyStarts = [0, 60, 160] },
            "window" => call with { PositionOffset = 30, Window = new(20, 15) },
            "additive" or "additive for some" => call with { AdditiveMask = new(Masks.Additive(mask), sizes) },
            "boolean" or "boolean for some" => call with { BooleanMask = new(mask, sizes) },
            "bit" or "bit for some" => call with { BitMask = new(Masks.Bits(mask, Keys), sizes) },
            "short mask" => call with { BooleanMask = new([.. mask.AsSpan(0, 83)], new(1, 1, 1, 83)) },
            "all" => call with
            {
                Mask = AttentionMask.Causal, PositionOffset = 60,
                KeyLengths = [80, 105],
                Window = new(50, null),
                AdditiveMask = new(Masks.Additive(mask), sizes),
                BitMask = new(Masks.Bits(Masks.Of(1, 1, Keys, (_, _, j) => j % 7 > 0), Keys), new(1, 1, 1, Keys)),
                AlibiSlopes = [0.1f, 0.01f],
                Sinks = [1, -1],
            },
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, message: null),
        };
    }

    /// <summary>For each row [batch, query] or, if ragged, [query token], whether it sees each key of its buffer's sequence.</summary>
    private static bool[][] Seen(Case call)
    {
        // The reference says what is seen; HandWorkedTests and ChoiceOfKeysTests say that it is right.
        AttentionShape shape = call.Shape;
        var rows = new List<bool[]>();
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = Sequence.Of(call, b);
            AttentionShape part = sequence.Call.Shape with { QueryHeads = 1, KeyValueHeads = 1 };
            Case single = sequence.Call with { HeadDim = 1, ValueDim = 1, Shape = part, Softcap = null, Sinks = null, AlibiSlopes = null };
            var scores = new double[part.QueryLength * part.KeyLength];
            single.Scores<double>(Inputs.Zero(single), scores, AttentionScoreStage.Masked);
            for (int i = 0; i < part.QueryLength; i++)
            {
                var row = new bool[call.Stored.KeyLength];
                for (int j = 0; j < part.KeyLength; j++)
                    row[sequence.FirstKey + j] = !double.IsNegativeInfinity(scores[i * part.KeyLength + j]);
                rows.Add(row);
            }
        }

        return [.. rows];
    }

    /// <summary>Two keys that not all rows see: the last and one between.</summary>
    private static int[] KeysToPoison(Case call, bool[][] seen)
    {
        int[] hidden = [.. Enumerable.Range(0, call.Stored.KeyLength).Where(key => seen.Any(row => !row[key]))];
        return hidden.Length == 0 ? [] : Budget.IsSmall ? [hidden[hidden.Length / 2]] : [.. ((int[])[hidden[hidden.Length / 2], hidden[^1]]).Distinct()];
    }

    /// <summary>Poisons each of some keys and its value, in every sequence, and those that no query sees together.</summary>
    private static void CheckEach(AttentionKernel kernel, Case call, int keyValueHead, bool[][] seen, int[] keys)
    {
        Inputs clean = Inputs.Normal(call);
        int[] hiddenFromAll = [.. Enumerable.Range(0, call.Stored.KeyLength).Where(key => seen.All(row => !row[key]))];
        int[][] groups = [.. keys.Select(static key => (int[])[key]), .. hiddenFromAll.Length > 0 ? (int[][])[hiddenFromAll] : []];
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            Outputs<float> expected = call.Run(bound, clean);
            foreach (float poison in Poisons)
            {
                foreach (int[] group in groups)
                {
                    CheckOne(bound, call, clean, expected, keyValueHead, seen, group, poison, inKey: true);
                    CheckOne(bound, call, clean, expected, keyValueHead, seen, group, poison, inKey: false);
                }
            }
        }
    }

    private static void CheckOne(AttentionKernel bound, Case call, Inputs clean, Outputs<float> expected, int keyValueHead, bool[][] seen, int[] keys, float poison, bool inKey)
    {
        AttentionShape stored = call.Stored;
        Inputs poisoned = clean.Copy();
        for (int b = 0; b < stored.Batch; b++)
        {
            foreach (int key in keys)
            {
                if (inKey)
                    poisoned.Key[call.KeyRows.Start(b, keyValueHead, key) + key % call.HeadDim] = poison;
                else
                    poisoned.Value.AsSpan(call.ValueRows.Start(b, keyValueHead, key), call.ValueDim)[(key % call.ValueDim)..].Fill(poison);
            }
        }

        Outputs<float> actual = call.Run(bound, poisoned);
        Outputs<float>? naive = null;
        string what = $"{bound.Name}: {call}: {poison} in {(inKey ? "keys" : "values")} {string.Join(", ", keys)} of head {keyValueHead}";
        int rowsOfBatch = seen.Length / stored.Batch, group = stored.QueryHeads / stored.KeyValueHeads;
        for (int row = 0; row < seen.Length; row++)
        {
            (int b, int i) = Math.DivRem(row, rowsOfBatch);
            for (int h = 0; h < stored.QueryHeads; h++)
            {
                bool isSeen = h / group == keyValueHead && Array.Exists(keys, key => seen[row][key]);
                string where = $"{what}: query ({b}, {h}, {i}), which {(isSeen ? "sees one" : "sees none")}";
                Range output = call.OutputRows.Start(b, h, i)..(call.OutputRows.Start(b, h, i) + call.ValueDim);
                int sum = (b * stored.QueryHeads + h) * stored.QueryLength + i;
                if (!isSeen)
                {
                    Compare.SameBits(where, expected.Output.AsSpan(output), actual.Output.AsSpan(output));
                    Compare.SameBits(where, expected.LogSumExp.AsSpan(sum, 1), actual.LogSumExp.AsSpan(sum, 1));
                }
                else if (poison != float.MaxValue || !inKey)
                {
                    // Whether a dot product with float.MaxValue overflows depends on its order.
                    naive ??= call.Naive(poisoned);
                    Compare.SameClass(where, naive.Output.AsSpan(output), actual.Output.AsSpan(output));
                    Compare.SameClass(where, naive.LogSumExp.AsSpan(sum, 1), actual.LogSumExp.AsSpan(sum, 1));
                }
            }
        }
    }
}
