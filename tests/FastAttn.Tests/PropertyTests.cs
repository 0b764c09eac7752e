using System;

using CsCheck;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Random calls, new ones in each run; CsCheck shrinks those that fail and prints their seed.</summary>
public static class PropertyTests
{
    private static readonly Gen<RowPlacement> InputPlacement = Gen.Enum<RowPlacement>();

    private static readonly Gen<RowPlacement> OutputPlacement = InputPlacement.Where(static placement => placement is not (RowPlacement.Repeated or RowPlacement.RepeatedHeads));

    private static readonly Gen<AttentionShape> Shapes = Gen.Select(
        Gen.Int[0, 2],
        Gen.Int[1, 3],
        Gen.Int[1, 4],
        Gen.Int[0, 140],
        Gen.Int[0, 140],
        static (batch, keyValueHeads, group, queryLength, keyLength) => new AttentionShape(batch, keyValueHeads * group, keyValueHeads, queryLength, keyLength));

    private static readonly Gen<(RowPlacement Query, RowPlacement Key, RowPlacement Value, RowPlacement Output, AttentionLayout Layout)> Placements =
        Gen.Select(InputPlacement, InputPlacement, InputPlacement, OutputPlacement, Gen.Enum<AttentionLayout>());

    // Scales down to 1/8 and up to 8, of either sign; offsets around the diagonal and far off it.
    private static readonly Gen<(float? Scale, int? Offset, int? KeyBlock)> Choices = Gen.Select(
        Gen.Select(Gen.Float[-3, 3], Gen.Bool, static (exponent, isNegative) => MathF.Pow(2, exponent) * (isNegative ? -1 : 1)).Nullable(),
        Gen.Frequency((4, Gen.Int[-150, 150]), (1, Gen.OneOf(int.MinValue, int.MaxValue))).Nullable(),
        Gen.Int[1, 70].Nullable());

    private static readonly Gen<Case> Cases = Gen.Select(
        Gen.Int[1, 130],
        Gen.Int[1, 130],
        Gen.Enum<AttentionMask>(),
        Shapes,
        Placements,
        Choices,
        Gen.Int[0, 1000],
        static (headDim, valueDim, mask, shape, placements, choices, seed) => new Case(headDim, valueDim, mask, shape)
        {
            Scale = choices.Scale,
            PositionOffset = choices.Offset,
            KeyBlock = choices.KeyBlock,
            Layout = placements.Layout,
            Query = placements.Query,
            Key = placements.Key,
            Value = placements.Value,
            Output = placements.Output,
            Seed = seed,
        });

    [Fact]
    public static void Any_call_gives_the_formula() => Cases.Sample(
        static call => new Accuracy(ScaledDotProductAttention.GetKernel(call.HeadDim, call.Mask, valueDim: call.ValueDim)).Check(call),
        iter: Budget.Of(400, 40),
        threads: 1);
}
