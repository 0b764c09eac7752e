using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>
/// Which keys a query sees, key by key: values are the rows of the identity, so that outputs are the weights, and a weight is
/// positive where the key is seen (logits of N(0, 1) inputs are far from underflow) and exactly 0 where it is not.
/// </summary>
public static class ChoiceOfKeysTests
{
    [Fact]
    public static void Causal_mask_chooses_the_keys_of_its_explicit_mask() => ForCalls(static (call, _) =>
    {
        Case causal = call with { Mask = AttentionMask.Causal };
        return (causal, (_, i, j) => j <= i + Offset(call));
    });

    [Fact]
    public static void Window_chooses_the_keys_of_its_explicit_mask() => ForCalls(static (call, random) =>
    {
        int? left = Extent(call, random), right = Extent(call, random);
        return (call with { Window = Window(left, right) }, (_, i, j) => IsInWindow(i + Offset(call) - j, left, right));
    });

    [Fact]
    public static void Causal_window_chooses_the_keys_of_both() => ForCalls(static (call, random) =>
    {
        int? left = Extent(call, random), right = Extent(call, random);
        return (call with { Mask = AttentionMask.Causal, Window = Window(left, right) }, (_, i, j) => IsInWindow(i + Offset(call) - j, left, right) && j <= i + Offset(call));
    });

    [Fact]
    public static void Key_lengths_choose_the_keys_of_their_explicit_mask() => ForCalls(static (call, random) =>
    {
        int[] lengths = Lengths(call, random);
        return (call with { KeyLengths = lengths }, (b, _, j) => j < lengths[b]);
    });

    /// <summary>Without an offset the last query stands at the last key that exists, in each sequence.</summary>
    [Fact]
    public static void Causal_window_over_key_lengths_chooses_the_keys_of_all() => ForCalls(static (call, random) =>
    {
        int[] lengths = Lengths(call, random);
        int? left = Extent(call, random);
        int queries = call.Shape.QueryLength;
        return (call with { Mask = AttentionMask.Causal, KeyLengths = lengths, Window = Window(left, null) },
            (b, i, j) => j < lengths[b] && IsInWindow(i + (call.PositionOffset ?? lengths[b] - queries) - j, left, 0));
    });

    [Fact]
    public static void Offsets_of_sequences_choose_the_keys_of_their_explicit_masks() => ForCalls(static (call, random) =>
    {
        AttentionShape shape = call.Shape;
        int[] offsets = [.. Enumerable.Range(0, shape.Batch).Select(_ => random.Next(4) switch { 0 => int.MinValue, 1 => int.MaxValue, _ => random.Next(-shape.QueryLength - 1, shape.KeyLength + 1) })];
        return (call with { Mask = AttentionMask.Causal, PositionOffset = null, PositionOffsets = offsets }, (b, i, j) => j <= (long)i + offsets[b]);
    });

    /// <summary>Every restriction at once: a key is seen if none hides it.</summary>
    [Fact]
    public static void Masks_of_every_kind_hide_together() => ForCalls(static (call, random) =>
    {
        AttentionShape shape = call.Shape;
        int[] lengths = Lengths(call, random);
        bool[] one = MostlyTrue(shape.QueryLength), other = MostlyTrue(shape.QueryLength), third = MostlyTrue(shape.QueryLength);
        AttentionMaskSizes sizes = new(1, 1, shape.QueryLength, shape.KeyLength);
        int? left = Extent(call, random);
        Case all = call with
        {
            KeyLengths = lengths,
            Window = Window(left, null),
            AdditiveMask = new(Masks.Additive(one), sizes),
            BooleanMask = new(other, sizes),
            BitMask = new(Masks.Bits(third, shape.KeyLength), sizes),
        };
        return (all, (b, i, j) => j < lengths[b] && IsInWindow(i + (call.PositionOffset ?? lengths[b] - shape.QueryLength) - j, left, null)
            && one[i * shape.KeyLength + j] && other[i * shape.KeyLength + j] && third[i * shape.KeyLength + j]);

        bool[] MostlyTrue(int queries) => Masks.Of(1, queries, shape.KeyLength, (_, _, _) => random.Next(4) > 0);
    });

    /// <summary>Draws calls without a mask; says what each must see.</summary>
    private static void ForCalls(Func<Case, Random, (Case Call, Func<int, int, int, bool> Sees)> restrict)
    {
        for (int seed = 0; seed < Budget.Of(16, 6); seed++)
        {
            var random = new Random(seed);
            Case drawn = FeatureCases.DrawCall(random);
            (Case call, Func<int, int, int, bool> sees) = restrict(
                drawn with { ValueDim = Math.Max(1, drawn.Shape.KeyLength), Mask = AttentionMask.None, Value = RowPlacement.OfLayout, Output = RowPlacement.OfLayout }, random);
            Inputs inputs = Identity(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> actual = call.Run(bound, inputs);
                ForWeights(call, (b, h, i, j) =>
                {
                    float weight = actual.Output[call.OutputRows.Start(b, h, i) + j];
                    if (sees(b, i, j) ? !(weight > 0) : weight != 0)
                        Assert.Fail($"{bound.Name}: {call}: key {j} {(sees(b, i, j) ? "is seen by" : "is hidden from")} query ({b}, {h}, {i}) and has a weight of {weight}.");
                });
            }
        }
    }

    private static Inputs Identity(Case call)
    {
        Inputs inputs = Inputs.Normal(call);
        Array.Clear(inputs.Value);
        for (int b = 0; b < call.Shape.Batch; b++)
        {
            for (int h = 0; h < call.Shape.KeyValueHeads; h++)
            {
                for (int j = 0; j < call.Shape.KeyLength; j++)
                    inputs.Value[call.ValueRows.Start(b, h, j) + j] = 1;
            }
        }

        return inputs;
    }

    private static void ForWeights(Case call, Action<int, int, int, int> visit)
    {
        AttentionShape shape = call.Shape;
        for (int b = 0; b < shape.Batch; b++)
        {
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                for (int i = 0; i < shape.QueryLength; i++)
                {
                    for (int j = 0; j < shape.KeyLength; j++)
                        visit(b, h, i, j);
                }
            }
        }
    }

    private static long Offset(Case call) => call.PositionOffset ?? call.Shape.KeyLength - call.Shape.QueryLength;

    /// <summary>Two bounds that are both absent are no window.</summary>
    private static AttentionWindow? Window(int? left, int? right) => left is null && right is null ? null : new(left, right);

    private static bool IsInWindow(long distance, int? left, int? right) => distance <= (left ?? long.MaxValue) && -distance <= (right ?? long.MaxValue);

    private static int? Extent(Case call, Random random) =>
        random.Next(5) switch { 0 => null, 1 => 0, 2 => int.MaxValue, _ => random.Next(call.Shape.KeyLength + 1) };

    private static int[] Lengths(Case call, Random random) =>
        [.. Enumerable.Range(0, call.Shape.Batch).Select(_ => random.Next(4) == 0 ? 0 : random.Next(call.Shape.KeyLength + 1))];
}
