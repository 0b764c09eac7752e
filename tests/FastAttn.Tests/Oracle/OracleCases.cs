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
        AttentionFeatures.KeyLengths | AttentionFeatures.Ragged | AttentionFeatures.AdditiveMask | AttentionFeatures.BooleanMask | AttentionFeatures.PackedMask;

    // A query of 1e15 and keys of ±1e15 give logits that absorb whatever N(0, 1) adds to them: only their ties count.
    private const float Huge = 1e15f;

    /// <summary>Draws a call and its numbers. Some calls are such that they must be refused.</summary>
    public static (FeatureCase Call, Inputs Inputs) Draw(Random random)
    {
        Case call = FeatureCases.DrawCall(random) with { CausalOffset = null, Threads = random.Next(2) };
        if (random.Next(2) == 0)
            call = call with { Shape = call.Shape with { KeyLength = call.Shape.QueryLength } };
        AttentionFeatures features = FeatureCases.DrawFeatures(random, random.NextDouble());
        FeatureCase drawn = FeatureCases.Draw(random, call, features & ~DrawnHere);
        if (drawn.Window is { Left: null, Right: null })
            drawn = drawn with { Window = new(3, null) };
        if (drawn.Sinks is { } sinks && random.Next(4) == 0)
            drawn = drawn with { Sinks = [.. sinks.Select(sink => random.Next(3) switch { 0 => float.MinValue, 1 => random.Next(2) == 0 ? float.MaxValue : -1e30f, _ => sink })] };
        drawn = WithLengths(random, drawn) with { LeavesOffsetsOut = true };

        // Either logits or masks are huge: a sum of both would be a matter of rounding.
        bool hasHugeLogits = random.Next(8) == 0;
        if ((features & AttentionFeatures.AdditiveMask) != 0)
        {
            AttentionMaskStrides? strides = DrawMask(random, drawn, isPacked: false, random.Next(2) == 0 ? float.NaN : 0, DrawBias(random, hasHugeLogits), out float[] mask);
            drawn = drawn with { AdditiveMask = mask, AdditiveMaskStrides = strides };
        }

        if ((features & AttentionFeatures.BooleanMask) != 0)
        {
            AttentionMaskStrides? strides = DrawMask(random, drawn, isPacked: false, true, static attends => attends, out bool[] mask);
            drawn = drawn with { BooleanMask = mask, BooleanMaskStrides = strides };
        }

        if ((features & AttentionFeatures.PackedMask) != 0)
        {
            AttentionMaskStrides? strides = DrawMask(random, drawn, isPacked: true, true, static attends => attends, out bool[] mask);
            drawn = drawn with { PackedMask = Masks.Packed(mask, 8 * ((mask.Length + 7) / 8)), PackedMaskStrides = strides };
        }

        Inputs inputs = DrawInputs(random, drawn, hasHugeLogits);
        if (drawn.Batched(inputs).IsRefused && random.Next(4) > 0)
            drawn = WithOffsets(random, drawn);
        if (random.Next(4) > 0)
        {
            // Whatever no result may depend on is NaN.
            (float[] query, float[] key, float[] value, float[]? mask) = drawn.Batched(inputs).Poisoned(float.NaN);
            (inputs, drawn) = (new(query, key, value), drawn with { AdditiveMask = mask });
        }

        return (drawn, inputs);
    }

    private static FeatureCase WithLengths(Random random, FeatureCase call)
    {
        AttentionShape shape = call.Call.Shape;
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

    private static FeatureCase WithOffsets(Random random, FeatureCase call)
    {
        AttentionShape shape = call.Call.Shape;
        int Offset() => random.Next(-shape.QueryLength - 2, shape.KeyLength + 3);
        return random.Next(2) == 0
            ? call with { Call = call.Call with { CausalOffset = Offset() } }
            : call with { CausalOffsets = [.. Enumerable.Range(0, shape.Batch).Select(_ => Offset())] };
    }

    /// <summary>Draws a mask: each axis whole or repeated, the keys whole, repeated, fewer or none, rows apart or not.</summary>
    /// <param name="random">The source.</param>
    /// <param name="call">The call.</param>
    /// <param name="isPacked">Whether elements are bits, of which each row begins with a new byte.</param>
    /// <param name="gap">What is between the rows.</param>
    /// <param name="element">The element that says whether a query attends to a key.</param>
    /// <param name="mask">The mask; its packed form has one bit for each element.</param>
    private static AttentionMaskStrides? DrawMask<T>(Random random, FeatureCase call, bool isPacked, T gap, Func<bool, T> element, out T[] mask)
    {
        AttentionShape shape = call.Call.Shape;
        int batch = random.Next(2) == 0 ? 1 : shape.Batch, heads = random.Next(2) == 0 ? 1 : shape.QueryHeads, queries = random.Next(4) == 0 ? 1 : shape.QueryLength;
        int keys = random.Next(12) switch { 0 or 1 => Math.Min(1, shape.KeyLength), 2 => 0, 3 or 4 => random.Next(shape.KeyLength + 1), _ => shape.KeyLength };
        bool[] attends = Masks.Draw(random, batch, heads, queries, keys);

        // Rows of the elements that are used, rounded up to bytes where they are bits, or further apart.
        int unit = isPacked ? 8 : 1, apart = random.Next(2) == 0 ? 0 : unit * random.Next(1, 4);
        int row = (keys + unit - 1) / unit * unit + apart, head = row * queries + apart, sequence = head * heads + apart;
        mask = new T[sequence * batch];
        Array.Fill(mask, gap);
        for (int n = 0; n < attends.Length; n++)
        {
            (int rest, int j) = Math.DivRem(n, keys);
            (rest, int i) = Math.DivRem(rest, queries);
            (int b, int h) = Math.DivRem(rest, heads);
            mask[b * sequence + h * head + i * row + j] = element(attends[n]);
        }

        AttentionMaskStrides strides = new(batch == 1 ? 0 : sequence, heads == 1 ? 0 : head, queries == 1 ? 0 : row, keys);
        if (apart > 0)
            return strides;
        bool isWhole = (batch, heads, queries, keys) == (shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength);
        return isWhole && random.Next(2) == 0 ? null : isPacked ? AttentionMaskStrides.OfPacked(batch, heads, queries, keys) : AttentionMaskStrides.Of(batch, heads, queries, keys);
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

    private static Inputs DrawInputs(Random random, FeatureCase call, bool hasHugeLogits)
    {
        Case storage = call.Storage;
        Inputs inputs = call.Normal();
        switch (random.Next(5))
        {
            case 0:
                Change(inputs.Value, storage.ValueRows, static x => x + 1);
                break;
            case 1:
                float constant = random.Next(3) switch { 0 => 0.1f, 1 => 100, _ => -3 };
                Change(inputs.Value, storage.ValueRows, _ => constant);
                break;
            default:
                break;
        }

        switch (random.Next(6))
        {
            case 0:
                Change(inputs.Key, storage.KeyRows, static x => x + 1);
                break;
            case 1:
                Change(inputs.Key, storage.KeyRows, static _ => 0.5f);
                break;
            default:
                break;
        }

        if (hasHugeLogits)
        {
            ChangeFirst(inputs.Query, storage.QueryRows, () => random.Next(2) == 0 ? Huge : -Huge);
            ChangeFirst(inputs.Key, storage.KeyRows, () => random.Next(8) switch { 0 => Huge, 1 => -Huge, _ => 0 });
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
