using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>The numbers of one call. Elements that belong to no row are NaN: none may reach an output.</summary>
internal sealed record Inputs(float[] Query, float[] Key, float[] Value)
{
    /// <summary>
    /// Keys and values N(0, 1), and queries such that logits have the variance that N(0, 1) queries give them with
    /// the default scale: the contract's inputs, whatever the scale.
    /// </summary>
    public static Inputs Normal(Case call)
    {
        var random = new Random(call.Seed);
        float deviation = call.Scale is { } scale ? 1 / (MathF.Abs(scale) * MathF.Sqrt(call.HeadDim)) : 1;
        return new(NormalRows(call.QueryRows, random, deviation), NormalRows(call.KeyRows, random, 1), NormalRows(call.ValueRows, random, 1));
    }

    public static Inputs Zero(Case call) => new(new float[call.QueryRows.Elements], new float[call.KeyRows.Elements], new float[call.ValueRows.Elements]);

    public Inputs Copy() => new([.. Query], [.. Key], [.. Value]);

    private static float[] NormalRows(Rows rows, Random random, float deviation)
    {
        var buffer = new float[rows.Elements];
        Array.Fill(buffer, float.NaN);
        for (int b = 0; b < rows.Batch; b++)
        {
            for (int h = 0; h < rows.Heads; h++)
            {
                for (int l = 0; l < rows.Length; l++)
                    RandomData.FillNormal(buffer.AsSpan(rows.Start(b, h, l), rows.Dim), random, deviation);
            }
        }

        return buffer;
    }
}
