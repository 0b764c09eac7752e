using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>Numbers that are the same in every run.</summary>
internal static class RandomData
{
    // Drawn once and then drawn from: logarithms and cosines are what an emulated CPU is slowest at.
    private static readonly float[] Normals = DrawNormals(1 << 14);

    /// <summary>Fills with N(0, deviation²).</summary>
    public static void FillNormal(Span<float> destination, Random random, float deviation = 1)
    {
        foreach (ref float value in destination)
            value = Normals[random.Next(Normals.Length)] * deviation;
    }

    /// <summary>By Box and Muller.</summary>
    private static float[] DrawNormals(int count)
    {
        var random = new Random(1);
        var normals = new float[count];
        foreach (ref float normal in normals.AsSpan())
            normal = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return normals;
    }
}
