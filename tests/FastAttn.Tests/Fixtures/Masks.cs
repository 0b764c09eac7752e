using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>Masks as arrays.</summary>
internal static class Masks
{
    /// <summary>Draws a mask [batch, heads, queries, keys] in which a share of the keys is hidden: here and there, in runs, or all but one range.</summary>
    public static bool[] Draw(Random random, int batch, int heads, int queries, int keys)
    {
        var mask = new bool[batch * heads * queries * keys];
        double share = random.Next(4) switch { 0 => 0.05, 1 => 0.5, 2 => 0.9, _ => 0.99 };
        int kind = random.Next(3);
        for (int row = 0; row < mask.Length; row += Math.Max(keys, 1))
        {
            Span<bool> bits = mask.AsSpan(row, keys);
            if (random.Next(8) == 0)
                continue; // A row without keys.
            if (kind == 2)
            {
                // As padding, windows and documents make it.
                int start = random.Next(keys + 1);
                bits.Slice(start, random.Next(keys - start + 1)).Fill(true);
                continue;
            }

            bool current = random.NextDouble() < share;
            for (int j = 0; j < bits.Length; j++)
            {
                if (kind == 0 || random.Next(20) == 0)
                    current = random.NextDouble() < share;
                bits[j] = current;
            }
        }

        return mask;
    }

    /// <summary>0 where the mask attends, −∞ where it does not.</summary>
    public static float[] Additive(bool[] mask) => Array.ConvertAll(mask, static attends => attends ? 0 : float.NegativeInfinity);

    /// <summary>The same in bits, each row of <paramref name="keys"/> beginning with a new byte; bits that belong to no key attend.</summary>
    public static byte[] Bits(bool[] mask, int keys)
    {
        int rows = keys == 0 ? 0 : mask.Length / keys, bytes = (keys + 7) / 8;
        var items = new byte[rows * bytes];
        Array.Fill(items, byte.MaxValue);
        for (int i = 0; i < rows * keys; i++)
        {
            (int row, int j) = Math.DivRem(i, keys);
            if (!mask[i])
                items[row * bytes + (j >> 3)] &= (byte)~(1 << (j & 7));
        }

        return items;
    }

    /// <summary>The mask that a causal one, a window or key lengths make: [batch, 1, queries, keys].</summary>
    public static bool[] Of(int batch, int queries, int keys, Func<int, int, int, bool> sees)
    {
        var mask = new bool[batch * queries * keys];
        for (int b = 0, at = 0; b < batch; b++)
        {
            for (int i = 0; i < queries; i++)
            {
                for (int j = 0; j < keys; j++)
                    mask[at++] = sees(b, i, j);
            }
        }

        return mask;
    }
}
