using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Rows of tokens, and how far computed ones are from exact ones.</summary>
internal static class Tokens
{
    public static float[] Normal(int count, int seed = 2)
    {
        var tokens = new float[count];
        RandomData.FillNormal(tokens, new Random(seed));
        return tokens;
    }

    public static double[] Exact(float[] tokens) => [.. tokens.Select(static x => (double)x)];

    /// <summary>‖actual − exact‖ / ‖exact‖.</summary>
    public static double RelativeError(ReadOnlySpan<double> exact, ReadOnlySpan<float> actual)
    {
        Assert.Equal(exact.Length, actual.Length);
        double error = 0, norm = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            error += (actual[i] - exact[i]) * (actual[i] - exact[i]);
            norm += exact[i] * exact[i];
        }

        return Math.Sqrt(error / norm);
    }

    public static void AreClose(string what, ReadOnlySpan<double> exact, ReadOnlySpan<float> actual, double tolerance)
    {
        double error = RelativeError(exact, actual);
        Assert.True(error <= tolerance, $"{what}: relative error {error:G3}, more than {tolerance:G3}.");
    }
}
