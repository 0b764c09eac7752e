using System;

namespace FastAttn.Benchmarks;

/// <summary>Normal numbers, the same in every run.</summary>
internal static class NormalNumbers
{
    /// <summary>Box and Muller's transform: two independent normal numbers from two uniform ones.</summary>
    public static void Fill(Span<float> span, int seed, float deviation = 1)
    {
        var random = new Random(seed);
        for (int i = 0; i < span.Length; i += 2)
        {
            float radius = deviation * MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle()));
            (float sin, float cos) = MathF.SinCos(2 * MathF.PI * random.NextSingle());
            span[i] = radius * cos;
            if (i + 1 < span.Length)
                span[i + 1] = radius * sin;
        }
    }
}
