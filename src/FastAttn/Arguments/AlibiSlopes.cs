using System;
using System.Numerics;

namespace FastAttn;

/// <summary>The slopes of ALiBi ("Train Short, Test Long", arXiv 2108.12409), for <see cref="AttentionOptions.AlibiSlopes"/>.</summary>
public static class AlibiSlopes
{
    /// <summary>
    /// The slopes of the paper and of its code. Where the number of heads <c>h</c> is a power of 2, head <c>i</c> has
    /// <c>2^(−8·(i + 1)/h)</c>: a geometric sequence that ends with 2⁻⁸. Otherwise, with <c>n</c> the largest power of 2 below <c>h</c>, the
    /// first <c>n</c> heads have the slopes of <c>n</c> heads, and head <c>n + i</c> has <c>2^(−4·(2·i + 1)/n)</c>: every other slope of
    /// <c>2·n</c> heads, from the first on.
    /// </summary>
    /// <param name="heads">Query heads h, at least 1.</param>
    /// <returns>[h], all positive.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="heads"/> is less than 1.</exception>
    public static float[] For(int heads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        int powerOfTwo = 1 << BitOperations.Log2((uint)heads);
        var slopes = new float[heads];
        for (int i = 0; i < heads; i++)
            slopes[i] = (float)(i < powerOfTwo ? Math.Pow(2, -8.0 * (i + 1) / powerOfTwo) : Math.Pow(2, -4.0 * (2.0 * (i - powerOfTwo) + 1) / powerOfTwo));
        return slopes;
    }
}
