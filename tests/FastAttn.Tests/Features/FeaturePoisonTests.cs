using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>What hidden keys and values hold never reaches an output, whatever hides them; what is seen does.</summary>
public static class FeaturePoisonTests
{
    private static readonly float[] Poisons =
        [float.NaN, float.PositiveInfinity, float.NegativeInfinity, BitConverter.Int32BitsToSingle(0x7F80_0001), float.MaxValue];

    /// <summary>What may hide a key.</summary>
    public static TheoryData<string> Kinds => ["key lengths", "ragged", "window", "additive", "additive for some", "boolean", "boolean for some", "packed", "packed for some", "short mask", "all"];

    /// <summary>Poison in every key and value that some query does not see, one at a time and all that none sees at once.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Hidden_key_or_value_never_reaches_the_output(string kind)
    {
        foreach ((int queryLength, bool softcap) in Budget.IsSmall ? [(3, false), (20, true)] : ((int, bool)[])[(1, false), (3, true), (30, false)])
        {
            FeatureCase call = Hide(kind, queryLength, softcap);
            Inputs clean = call.Normal();
            bool[][] seen = Seen(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> expected = call.Run(bound, clean);
                foreach (float poison in Poisons)
                {
                    foreach (int key in KeysToPoison(call, seen))
                    {
                        foreach (bool inKey in (bool[])[true, false])
                            CheckOne(bound, call, clean, expected, seen, [key], poison, inKey);
                    }

                    int[] hiddenFromAll = [.. Enumerable.Range(0, call.Storage.Shape.KeyLength).Where(key => seen.All(row => !row[key]))];
                    if (hiddenFromAll.Length > 0)
                    {
                        CheckOne(bound, call, clean, expected, seen, hiddenFromAll, poison, inKey: true);
                        CheckOne(bound, call, clean, expected, seen, hiddenFromAll, poison, inKey: false);
                    }
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
            var call = new FeatureCase(new Case(16, 16, AttentionMask.Causal, new(1, 2, 1, queryLength, Keys)) { CausalOffset = Keys - Hidden - queryLength })
            {
                KeyLengths = [Keys - 10],
                AdditiveMask = new float[queryLength * Keys],
                AdditiveMaskStrides = AttentionMaskStrides.Of(1, 1, queryLength, Keys),
            };
            Inputs inputs = call.Normal();
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
            var dense = new FeatureCase(new Case(16, 16, AttentionMask.None, new(1, 2, 1, queryLength, Keys)));
            Inputs inputs = dense.Normal();
            AttentionMaskStrides denseStrides = AttentionMaskStrides.Of(1, 1, queryLength, Keys), strides = new(0, 0, queryLength == 1 ? 0 : Row, Keys);
            FeatureCase additive = dense with { AdditiveMask = Masks.Additive(attends), AdditiveMaskStrides = denseStrides };
            FeatureCase boolean = dense with { BooleanMask = attends, BooleanMaskStrides = denseStrides };
            FeatureCase packed = dense with { PackedMask = Masks.Packed(attends, Keys), PackedMaskStrides = AttentionMaskStrides.OfPacked(1, 1, queryLength, Keys) };
            var wideAdditive = new float[queryLength * Row];
            var wideBoolean = new bool[queryLength * Row];
            var widePacked = new byte[queryLength * Row / 8];
            Array.Fill(wideAdditive, float.NaN);
            Array.Fill(wideBoolean, true);
            Array.Fill(widePacked, byte.MaxValue);
            for (int i = 0; i < queryLength; i++)
            {
                additive.AdditiveMask.AsSpan(i * Keys, Keys).CopyTo(wideAdditive.AsSpan(i * Row));
                attends.AsSpan(i * Keys, Keys).CopyTo(wideBoolean.AsSpan(i * Row));
                packed.PackedMask.AsSpan(i * 10, 10).CopyTo(widePacked.AsSpan(i * Row / 8));
            }

            foreach (AttentionKernel bound in InstructionSets.Supported.Select(dense.Kernel.For))
            {
                Outputs<float> expected = additive.Run(bound, inputs);
                Compare.SameBits($"{bound.Name}: additive", expected, (additive with { AdditiveMask = wideAdditive, AdditiveMaskStrides = strides }).Run(bound, inputs));
                Compare.SameBits($"{bound.Name}: boolean", expected, (boolean with { BooleanMask = wideBoolean, BooleanMaskStrides = strides }).Run(bound, inputs));
                Compare.SameBits($"{bound.Name}: packed", expected, (packed with { PackedMask = widePacked, PackedMaskStrides = strides }).Run(bound, inputs));
            }
        }
    }

    /// <summary>NaN in a mask, a key or a value that is seen must not be lost by what makes hidden ones harmless.</summary>
    [Fact]
    public static void NaN_of_a_mask_that_is_seen_reaches_its_row_alone()
    {
        foreach (int queryLength in (int[])[3, 30])
        {
            var call = new FeatureCase(new Case(16, 16, AttentionMask.None, new(1, 2, 1, queryLength, 50)))
            {
                AdditiveMask = new float[queryLength * 50],
                AdditiveMaskStrides = AttentionMaskStrides.Of(1, 1, queryLength, 50),
            };
            Inputs inputs = call.Normal();
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> expected = call.Run(bound, inputs);
                float[] mask = new float[queryLength * 50];
                mask[50 + 7] = float.NaN;
                Outputs<float> actual = (call with { AdditiveMask = mask }).Run(bound, inputs);
                for (int h = 0; h < 2; h++)
                {
                    Assert.True(actual.Output.AsSpan(call.Call.OutputRows.Start(0, h, 1), 16).ToArray().All(float.IsNaN), $"{bound.Name}: row 1 of head {h} has no NaN.");
                    expected.Output.AsSpan(call.Call.OutputRows.Start(0, h, 1), 16).CopyTo(actual.Output.AsSpan(call.Call.OutputRows.Start(0, h, 1)));
                    actual.LogSumExp[h * queryLength + 1] = expected.LogSumExp[h * queryLength + 1];
                }

                Compare.SameBits($"{bound.Name}: {call}", expected, actual);
            }
        }
    }

    private static FeatureCase Hide(string kind, int queryLength, bool softcap)
    {
        const int Keys = 110;
        var random = new Random(queryLength);
        var shape = new AttentionShape(2, 2, 1, queryLength, Keys);
        var call = new FeatureCase(new Case(31, 64, AttentionMask.None, shape) { Seed = queryLength, Value = RowPlacement.RoundedUp }) { Softcap = softcap ? 5 : null };
        bool forSome = kind.EndsWith("for some", StringComparison.Ordinal);
        int maskQueries = forSome || kind == "all" ? queryLength : 1;
        bool[] mask = Masks.Of(1, maskQueries, Keys, (_, _, _) => random.Next(3) > 0);
        AttentionMaskStrides strides = AttentionMaskStrides.Of(1, 1, maskQueries, Keys), packed = AttentionMaskStrides.OfPacked(1, 1, maskQueries, Keys);
        return kind switch
        {
            "key lengths" => call with { KeyLengths = [70, 99] },
            "ragged" => call with { QueryStarts = [0, queryLength, queryLength + queryLength / 2], KeyStarts = [0, 60, 160] },
            "window" => call with { Call = call.Call with { CausalOffset = 30 }, Window = new(20, 15) },
            "additive" or "additive for some" => call with { AdditiveMask = Masks.Additive(mask), AdditiveMaskStrides = strides },
            "boolean" or "boolean for some" => call with { BooleanMask = mask, BooleanMaskStrides = strides },
            "packed" or "packed for some" => call with { PackedMask = Masks.Packed(mask, Keys), PackedMaskStrides = packed },
            "short mask" => call with { BooleanMask = [.. mask.AsSpan(0, 83)], BooleanMaskStrides = AttentionMaskStrides.Of(1, 1, 1, 83) },
            "all" => call with
            {
                Call = call.Call with { Mask = AttentionMask.Causal, CausalOffset = 60 },
                KeyLengths = [80, 105],
                Window = new(50, null),
                AdditiveMask = Masks.Additive(mask),
                AdditiveMaskStrides = strides,
                PackedMask = Masks.Packed(Masks.Of(1, 1, Keys, (_, _, j) => j % 7 > 0), Keys),
                PackedMaskStrides = AttentionMaskStrides.OfPacked(1, 1, 1, Keys),
                AlibiSlopes = [0.1f, 0.01f],
                Sinks = [1, -1],
            },
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, message: null),
        };
    }

    /// <summary>For each row [batch, query] or, if ragged, [query token], whether it sees each key of its buffer's sequence.</summary>
    private static bool[][] Seen(FeatureCase call)
    {
        // The reference says what is seen; HandWorkedTests and ChoiceOfKeysTests say that it is right.
        AttentionShape shape = call.Call.Shape;
        var rows = new List<bool[]>();
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = Sequence.Of(call, b);
            AttentionShape part = sequence.Call.Call.Shape with { QueryHeads = 1, KeyValueHeads = 1 };
            var weights = new double[part.QueryLength * part.KeyLength];
            FeatureCase single = sequence.Call with { Sinks = null, AlibiSlopes = null };
            AttentionReference.Scores<double>(
                new float[part.QueryLength], new float[part.KeyLength], weights, part, 1, AttentionScoreStage.Masked, single.Modifiers, call.Call.Mask, sequence.Call.Options with { Softcap = null });
            for (int i = 0; i < part.QueryLength; i++)
            {
                var row = new bool[call.Storage.Shape.KeyLength];
                for (int j = 0; j < part.KeyLength; j++)
                    row[sequence.FirstKey + j] = !double.IsNegativeInfinity(weights[i * part.KeyLength + j]);
                rows.Add(row);
            }
        }

        return [.. rows];
    }

    /// <summary>Two keys that not all rows see: the last and one between.</summary>
    private static int[] KeysToPoison(FeatureCase call, bool[][] seen)
    {
        int[] hidden = [.. Enumerable.Range(0, call.Storage.Shape.KeyLength).Where(key => seen.Any(row => !row[key]))];
        return hidden.Length == 0 ? [] : Budget.IsSmall ? [hidden[hidden.Length / 2]] : [.. ((int[])[hidden[hidden.Length / 2], hidden[^1]]).Distinct()];
    }

    private static void CheckOne(AttentionKernel bound, FeatureCase call, Inputs clean, Outputs<float> expected, bool[][] seen, int[] keys, float poison, bool inKey)
    {
        Case storage = call.Storage;
        Inputs poisoned = clean.Copy();
        for (int b = 0; b < storage.Shape.Batch; b++)
        {
            foreach (int key in keys)
            {
                if (inKey)
                    poisoned.Key[storage.KeyRows.Start(b, 0, key) + key % storage.HeadDim] = poison;
                else
                    poisoned.Value.AsSpan(storage.ValueRows.Start(b, 0, key), storage.ValueDim)[(key % storage.ValueDim)..].Fill(poison);
            }
        }

        Outputs<float> actual = call.Run(bound, poisoned);
        Outputs<float>? naive = null;
        string what = $"{bound.Name}: {call}: {poison} in {(inKey ? "keys" : "values")} {string.Join(", ", keys)}";
        int rowsOfBatch = seen.Length / storage.Shape.Batch;
        for (int row = 0; row < seen.Length; row++)
        {
            (int b, int i) = Math.DivRem(row, rowsOfBatch);
            bool isSeen = Array.Exists(keys, key => seen[row][key]);
            for (int h = 0; h < storage.Shape.QueryHeads; h++)
            {
                string where = $"{what}: query ({b}, {h}, {i}), which {(isSeen ? "sees one" : "sees none")}";
                Range output = storage.OutputRows.Start(b, h, i)..(storage.OutputRows.Start(b, h, i) + storage.ValueDim);
                int sum = (b * storage.Shape.QueryHeads + h) * storage.Shape.QueryLength + i;
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
