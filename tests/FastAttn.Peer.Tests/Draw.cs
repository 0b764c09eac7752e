using System;
using System.Linq;

namespace FastAttn.Peer.Tests;

/// <summary>Random sizes and numbers.</summary>
internal static class Draw
{
    /// <summary>N(0, 1), by Box and Muller.</summary>
    public static float[] Normal(Random random, int count)
    {
        var numbers = new float[count];
        foreach (ref float number in numbers.AsSpan())
            number = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return numbers;
    }

    /// <summary>N(0, 1), N(1, 1) or one number.</summary>
    public static float[] Values(Random random, int count)
    {
        float[] numbers = Normal(random, count);
        (float factor, float mean) = random.Next(4) switch { 0 => (1, 1), 1 => (0, One(random, 0.1f, -3f)), _ => (1f, 0f) };
        foreach (ref float number in numbers.AsSpan())
            number = factor * number + mean;
        return numbers;
    }

    /// <summary>Mostly short; one in eight goes past several query tiles and key blocks.</summary>
    public static int Length(Random random) => random.Next(8) switch { 0 => 200 + random.Next(501), < 4 => 1 + random.Next(20), _ => 1 + random.Next(150) };

    public static int Dim(Random random) => One(random, 8, 16, 32, 64, 64, 80, 128, 1 + random.Next(100));

    public static T One<T>(Random random, params T[] items) => items[random.Next(items.Length)];

    /// <summary>A mask of which most elements attend, in runs or here and there; some rows may be empty.</summary>
    public static bool[] Mask(Random random, int count)
    {
        double share = One(random, 0.5, 0.9, 0.97);
        bool inRuns = random.Next(2) == 0, current = true;
        return
        [
            .. Enumerable.Range(0, count).Select(_ => current = !inRuns || random.Next(20) == 0 ? random.NextDouble() < share : current),
        ];
    }

    /// <summary>Numbers to add to logits; −∞ here and there.</summary>
    public static float[] Bias(Random random, int count, bool withInfinities) =>
        [.. Enumerable.Range(0, count).Select(_ => withInfinities && random.Next(6) == 0 ? float.NegativeInfinity : 4 * random.NextSingle() - 2)];
}
