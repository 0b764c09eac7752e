using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

namespace FastAttn.Tests.Oracle;

/// <summary>
/// Random calls of every kind that the library takes, and their numbers: padded, ragged, square and rectangular batches; masks whose axes
/// are repeated or whose rows are short; numbers with a mean, and finite ones that are as large as floats are.
/// </summary>
internal static class OracleCases
{
    // Masks and lengths are drawn here, all else as in other tests.
    private const AttentionFeatures DrawnHere =
        AttentionFeatures.Lengths | AttentionFeatures.Ragged | AttentionFeatures.AdditiveMask | AttentionFeatures.BooleanMask | AttentionFeatures.BitMask;

    // A query of 1e15 and keys of ±1e15 give logits that absorb whatever N(0, 1) adds to them: only their ties count.
    private const float Huge = 1e15f;

    /// <summary>Draws a call and its numbers. Some calls are such that they must be refused.</summary>
    public static (Case Call, Inputs Inputs) Draw(Random random)
    {
        Case call = FeatureCases.DrawCall(random) with { PositionOffset = null, Threads = random.Next(2) };
        if (random.Next(2) == 0)
            call = call with { Shape = call.Shape with { KeyLength = call.Shape.QueryLength } };
        AttentionFeatures features = FeatureCases.DrawFeatures(random, random.NextDouble());
        Case drawn = FeatureCases.Draw(random, call, features & ~DrawnHere);
        if ((features & AttentionFeatures.Window) != 0 && drawn.Window is null)
            drawn = drawn with { Window = new(3, null) };
        if (drawn.Sinks is { } sinks && random.Next(4) == 0)
            drawn = drawn with { Sinks = [.. sinks.Select(sink => random.Next(3) switch { 0 => float.MinValue, 1 => random.Next(2) == 0 ? float.MaxValue : -1e30f, _ => sink })] };
        drawn = WithLengths(random, drawn) with { LeavesOffsetsOut = true };

        // Either logits or masks are huge: a sum of both would be a matter of rounding.
        bool hasHugeLogits = random.Next(8) == 0;
        if ((features & AttentionFeatures.AdditiveMask) != 0)
        {
            drawn = drawn with { AdditiveMask = DrawMask(random, drawn, isBits: false, random.Next(2) == 0 ? float.NaN : 0, DrawBias(random, hasHugeLogits)) };
        }

        if ((features & AttentionFeatures.BooleanMask) != 0)
        {
            drawn = drawn with { BooleanMask = DrawMask(random, drawn, isBits: false, true, static attends => attends) };
        }

        if ((features & AttentionFeatures.BitMask) != 0)
        {
            CaseMask<bool> mask = DrawMask(random, drawn, isBits: true, true, static attends => attends);
            drawn = drawn with { BitMask = new(Masks.Bits(mask.Elements, 8 * ((mask.Elements.Length + 7) / 8)), mask.Sizes, mask.Strides) };
        }

        Inputs inputs = DrawInputs(random, drawn, hasHugeLogits);
        if (new BatchedCall(drawn, inputs).IsRefused && random.Next(4) > 0)
            drawn = WithOffsets(random, drawn);
        if (random.Next(4) > 0)
        {
            // Whatever no result may depend on is NaN.
            (float[] query, float[] key, float[] value, float[]? mask) = new BatchedCall(drawn, inputs).Poisoned(float.NaN);
            (inputs, drawn) = (new(query, key, value), drawn with { AdditiveMask = mask is null ? null : drawn.AdditiveMask! with { Elements = mask } });
        }

        return (drawn, inputs);
    }

    private static Case WithLengths(Random random, Case call)
    {
        AttentionShape shape = call.Shape;
        return random.Next(7) switch
        {
            0 or 1 => call,
            2 or 3 => call with { KeyLengths = Lengths(shape.KeyLength) },
            4 => call with { QueryLengths = Lengths(shape.QueryLength), KeyLengths = Lengths(shape.KeyLength) },
            5 => call with { QueryLengths = Lengths(shape.QueryLength) },
            _ => call with { QueryStarts = Starts(shape.QueryLength), KeyStarts = Starts(shape.KeyLength) },
        };

        int[] Lengths(int longest) => [.. Enumerable.Range(0, shape.Batch).Select(_ => random.Next(6) switch { 0 => 0, 1 => longest, _ => random.Next(longest + 1) })];

        int[] Starts(int longest) => [.. Lengths(longest).Aggregate((int[])[0], static (starts, length) => [.. starts, starts[^1] + length])];
    }

    private static Case WithOffsets(Random random, Case call)
    {
        AttentionShape shape = call.Shape;
        int Offset() => random.Next(-shape.QueryLength - 2, shape.KeyLength + 3);
        return random.Next(2) == 0
            ? call with { PositionOffset = Offset() }
            : call with { PositionOffsets = [.. Enumerable.Range(0, shape.Batch).Select(_ => Offset())] };
    }

    /// <summary>Draws a mask: each axis whole or repeated, the keys whole, repeated, fewer or none, rows apart or not.</summary>
    /// <param name="random">The source.</param>
    /// <param name="call">The call.</param>
    /// <param name="isBits">Whether elements are to become bits, of which each row begins with a new byte.</param>
    /// <param name="gap">What is between the rows.</param>
    /// <param name="element">The element that says whether a query attends to a key.</param>
    /// <returns>The mask; where it is to become bits, with an element for each.</returns>
    private static CaseMask<T> DrawMask<T>(Random random, Case call, bool isBits, T gap, Func<bool, T> element)
    {
        AttentionShape shape = call.Shape;
        int batch = random.Next(2) == 0 ? 1 : shape.Batch, heads = random.Next(2) == 0 ? 1 : shape.QueryHeads, queries = random.Next(4) == 0 ? 1 : shape.QueryLength;
        int keys = random.Next(12) switch { 0 or 1 => Math.Min(1, shape.KeyLength), 2 => 0, 3 or 4 => random.Next(shape.KeyLength + 1), _ => shape.KeyLength };
        bool[] attends = Masks.Draw(random, batch, heads, queries, keys);

        // Rows of the elements that are used, rounded up to bytes where they are bits, or further apart.
        int unit = isBits ? 8 : 1, apart = random.Next(2) == 0 ? 0 : unit * random.Next(1, 4);
        int row = (keys + unit - 1) / unit * unit + apart, head = row * queries + apart, sequence = head * heads + apart;
        var mask = new T[sequence * batch];
        Array.Fill(mask, gap);
        for (int n = 0; n < attends.Length; n++)
        {
            (int rest, int j) = Math.DivRem(n, keys);
            (rest, int i) = Math.DivRem(rest, queries);
            (int b, int h) = Math.DivRem(rest, heads);
            mask[b * sequence + h * head + i * row + j] = element(attends[n]);
        }

        AttentionMaskSizes sizes = new(batch, heads, queries, keys);
        if (apart > 0)
            return new(mask, sizes, new(sequence, head, row));

        // A mask without sizes may repeat heads, where it could not as well repeat sequences.
        bool isClear = (batch, queries, keys) == (shape.Batch, shape.QueryLength, shape.KeyLength) && (heads == shape.QueryHeads || shape.Batch != shape.QueryHeads);
        return isClear && random.Next(2) == 0 ? new(mask) : new(mask, sizes);
    }

    /// <summary>Draws how an additive mask says that it attends: small numbers, or huge ones too; and how it hides, by −∞ or a very negative number.</summary>
    private static Func<bool, float> DrawBias(Random random, bool hasHugeLogits)
    {
        float hidden = hasHugeLogits || random.Next(2) == 0 ? float.NegativeInfinity : random.Next(2) == 0 ? float.MinValue : -1e30f;
        float[] huge = !hasHugeLogits && random.Next(4) == 0 ? [float.MinValue, -2.5e38f, -1e30f, -1e30f] : [];
        bool hasPositive = huge.Length > 0 && random.Next(2) == 0;
        return attends => !attends ? hidden
            : hasPositive && random.Next(40) == 0 ? 1e30f
            : huge.Length > 0 && random.Next(2) == 0 ? huge[random.Next(huge.Length)]
            : 4 * random.NextSingle() - 2;
    }

    private static Inputs DrawInputs(Random random, Case call, bool hasHugeLogits)
    {
        Inputs inputs = Inputs.Normal(call);
        switch (random.Next(5))
        {
            case 0:
                Change(inputs.Value, call.ValueRows, static x => x + 1);
                break;
            case 1:
                float constant = random.Next(3) switch { 0 => 0.1f, 1 => 100, _ => -3 };
                Change(inputs.Value, call.ValueRows, _ => constant);
                break;
            default:
                break;
        }

        switch (random.Next(6))
        {
            case 0:
                Change(inputs.Key, call.KeyRows, static x => x + 1);
                break;
            case 1:
                Change(inputs.Key, call.KeyRows, static _ => 0.5f);
                break;
            default:
                break;
        }

        if (hasHugeLogits)
        {
            ChangeFirst(inputs.Query, call.QueryRows, () => random.Next(2) == 0 ? Huge : -Huge);
            ChangeFirst(inputs.Key, call.KeyRows, () => random.Next(8) switch { 0 => Huge, 1 => -Huge, _ => 0 });
        }

        return inputs;
    }

    /// <summary>Changes elements that belong to rows.</summary>
    private static void Change(float[] buffer, Rows rows, Func<float, float> change)
    {
        bool[] owned = rows.Owned();
        for (int i = 0; i < buffer.Length; i++)
            buffer[i] = owned[i] ? change(buffer[i]) : buffer[i];
    }

    /// <summary>Changes the first element of each row.</summary>
    private static void ChangeFirst(float[] buffer, Rows rows, Func<float> draw)
    {
        for (int row = 0; row < rows.Batch * rows.Heads * rows.Length; row++)
        {
            (int rest, int token) = Math.DivRem(row, rows.Length);
            (int b, int h) = Math.DivRem(rest, rows.Heads);
            buffer[rows.Start(b, h, token)] = draw();
        }
    }
}
