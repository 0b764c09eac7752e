using System;
using System.Collections.Immutable;
using System.Linq;

namespace FastAttn.Tests.Fixtures;

/// <summary>Random calls with features.</summary>
internal static class FeatureCases
{
    private static readonly ImmutableArray<(int Head, int Value)> Dimensions =
        [(1, 1), (3, 3), (8, 8), (16, 16), (31, 64), (32, 32), (45, 37), (64, 64), (64, 64), (80, 80), (96, 100), (128, 128)];

    private static readonly ImmutableArray<RowPlacement> InputPlacements =
        [RowPlacement.OfLayout, RowPlacement.OfLayout, RowPlacement.OfLayout, RowPlacement.Padded, RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost, RowPlacement.Repeated];

    /// <summary>Each feature alone, then all that go together.</summary>
    public static ImmutableArray<AttentionFeatures> EachAndAll { get; } =
    [
        .. Enum.GetValues<AttentionFeatures>().Where(static feature => feature is not (AttentionFeatures.None or AttentionFeatures.All)),
        AttentionFeatures.All & ~AttentionFeatures.Ragged,
        AttentionFeatures.All & ~AttentionFeatures.Lengths,
    ];

    /// <summary>Draws the sizes and places of a call, up to some work.</summary>
    /// <param name="random">From which all but the inputs is drawn; these are drawn from a seed that is drawn.</param>
    public static Case DrawCall(Random random)
    {
        (int headDim, int valueDim) = Pick(random, Dimensions);
        int keyValueHeads = 1 + random.Next(2);
        int queryLength = random.Next(3) == 0 ? 1 + random.Next(8) : random.Next(Budget.Of(140, 70));
        int keyLength = random.Next(Budget.Of(260, 130));
        var shape = new AttentionShape(1 + random.Next(3), keyValueHeads * (1 + random.Next(3)), keyValueHeads, queryLength, keyLength);
        var call = new Case(headDim, valueDim, (AttentionMask)random.Next(2), shape)
        {
            Scale = random.Next(3) == 0 ? Pick<float>(random, [1, 0.37f, -0.6f]) : null,
            PositionOffset = random.Next(3) == 0 ? random.Next(-queryLength - 2, keyLength + 3) : null,
            Layout = (AttentionLayout)random.Next(2),
            Query = Pick(random, InputPlacements),
            Key = Pick(random, InputPlacements),
            Value = Pick(random, InputPlacements),
            Output = Pick(random, [.. InputPlacements.Where(static placement => placement != RowPlacement.Repeated)]),
            KeyBlock = random.Next(3) == 0 ? 1 + random.Next(70) : null,
            Seed = random.Next(1000),
        };

        // The formula in double is what costs.
        return call.Work <= Budget.Of(4_000_000, 400_000) ? call : call with { Shape = shape with { Batch = 1, QueryHeads = 1, KeyValueHeads = 1 } };
    }

    /// <summary>Draws which features a call has, each with the same chance.</summary>
    public static AttentionFeatures DrawFeatures(Random random, double chance)
    {
        AttentionFeatures features = AttentionFeatures.None;
        foreach (AttentionFeatures feature in Enum.GetValues<AttentionFeatures>())
        {
            if (feature is not (AttentionFeatures.None or AttentionFeatures.All) && random.NextDouble() < chance)
                features |= feature;
        }

        // Sequences without padding have the lengths that their starts say.
        return (features & AttentionFeatures.Ragged) != 0 ? features & ~AttentionFeatures.Lengths : features;
    }

    /// <summary>Draws what the features need.</summary>
    public static Case Draw(Random random, Case call, AttentionFeatures features)
    {
        AttentionShape shape = call.Shape;
        Case drawn = call;
        if (Has(AttentionFeatures.Softcap))
            drawn = drawn with { Softcap = Pick<float>(random, [0.5f, 1, 3, 20, 50]) };
        if (Has(AttentionFeatures.Window))
            drawn = drawn with { Window = DrawWindow() };
        if (Has(AttentionFeatures.Lengths))
            drawn = drawn with { KeyLengths = Many(shape.Batch, () => random.Next(4) switch { 0 => shape.KeyLength, 1 => 0, _ => random.Next(shape.KeyLength + 1) }) };
        if (Has(AttentionFeatures.Alibi))
            drawn = drawn with { AlibiSlopes = Many(shape.QueryHeads, () => Pick<float>(random, [0.5f, 0.25f, 0.03f, 1 / 256f, 0, -0.01f])) };
        if (Has(AttentionFeatures.Sinks))
            drawn = drawn with { Sinks = Many(shape.QueryHeads, () => random.Next(5) == 0 ? float.NegativeInfinity : 8 * random.NextSingle() - 4) };
        if (Has(AttentionFeatures.AdditiveMask))
        {
            (int[] sizes, bool[] attends) = DrawMask();
            float[] mask = Masks.Additive(attends);
            foreach (ref float element in mask.AsSpan())
                element += 4 * random.NextSingle() - 2;
            drawn = drawn with { AdditiveMask = new(mask, new(sizes[0], sizes[1], sizes[2], sizes[3])) };
        }

        if (Has(AttentionFeatures.BooleanMask))
        {
            (int[] sizes, bool[] mask) = DrawMask();
            drawn = drawn with { BooleanMask = new(mask, new(sizes[0], sizes[1], sizes[2], sizes[3])) };
        }

        if (Has(AttentionFeatures.BitMask))
        {
            (int[] sizes, bool[] mask) = DrawMask();
            drawn = drawn with { BitMask = new(Masks.Bits(mask, sizes[3]), new(sizes[0], sizes[1], sizes[2], sizes[3])) };
        }

        if (Has(AttentionFeatures.Ragged))
            drawn = drawn with { QueryStarts = DrawStarts(shape.QueryLength), KeyStarts = DrawStarts(shape.KeyLength) };
        if (random.Next(4) == 0)
            drawn = drawn with { PositionOffset = null, PositionOffsets = Many(shape.Batch, () => random.Next(-shape.QueryLength - 2, shape.KeyLength + 3)) };
        return drawn;

        bool Has(AttentionFeatures feature) => (features & feature) != 0;

        // Two bounds that are both absent are no window.
        AttentionWindow? DrawWindow()
        {
            int? left = DrawExtent(), right = DrawExtent();
            return left is null && right is null ? null : new(left, right);
        }

        int? DrawExtent() => random.Next(4) switch { 0 => null, 1 => random.Next(4), _ => random.Next(shape.KeyLength + 2) };

        // Each axis whole or repeated; the keys whole or fewer.
        (int[] Sizes, bool[] Mask) DrawMask()
        {
            int[] sizes =
            [
                random.Next(2) == 0 ? 1 : shape.Batch,
                random.Next(2) == 0 ? 1 : shape.QueryHeads,
                random.Next(4) == 0 ? 1 : shape.QueryLength,
                random.Next(4) == 0 ? random.Next(shape.KeyLength + 1) : shape.KeyLength,
            ];
            return (sizes, Masks.Draw(random, sizes[0], sizes[1], sizes[2], sizes[3]));
        }

        int[] DrawStarts(int longest)
        {
            var starts = new int[shape.Batch + 1];
            for (int b = 0; b < shape.Batch; b++)
                starts[b + 1] = starts[b] + (random.Next(3) == 0 ? longest : random.Next(longest + 1));
            return starts;
        }
    }

    /// <summary>A call with features, that is the same for the same arguments.</summary>
    /// <param name="features">Its features.</param>
    /// <param name="queryLength">Its queries.</param>
    /// <param name="change">Applied to the sizes and places before the features are drawn.</param>
    public static Case DrawFor(AttentionFeatures features, int queryLength, Func<Case, Case> change)
    {
        var random = new Random((int)features + queryLength);
        Case call = change(new Case(random.Next(2) == 0 ? 64 : 45, random.Next(2) == 0 ? 64 : 37, (AttentionMask)random.Next(2), new(2, 4, 2, queryLength, 60 + random.Next(60))) { Seed = queryLength });
        return Draw(random, call, features);
    }

    private static T[] Many<T>(int count, Func<T> draw) => [.. Enumerable.Range(0, count).Select(_ => draw())];

    private static T Pick<T>(Random random, ImmutableArray<T> items) => items[random.Next(items.Length)];
}
