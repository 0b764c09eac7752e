using System;
using System.Collections.Generic;
using System.IO;

using FastAttn.Embeddings.Files;

using static System.FormattableString;

namespace FastAttn.Cli;

/// <summary>Prints the cosine of each two vectors, a row for each text.</summary>
internal static class Similarities
{
    /// <summary>The maximum number of texts: rows of more would not fit on a screen.</summary>
    public const int MaxTexts = 20;

    private const int ShownCharacters = 60;

    /// <summary>Prints them.</summary>
    /// <param name="output">Where to print.</param>
    /// <param name="texts">The texts, at least one.</param>
    /// <param name="vectors">As many vectors, one after the other.</param>
    public static void Write(TextWriter output, IReadOnlyList<string> texts, ReadOnlySpan<float> vectors)
    {
        int dimensions = vectors.Length / texts.Count;
        for (int i = 0; i < texts.Count; i++)
        {
            for (int j = 0; j < texts.Count; j++)
                output.Write(Invariant($"{Cosine(vectors.Slice(i * dimensions, dimensions), vectors.Slice(j * dimensions, dimensions)),8:F4}"));
            output.WriteLine($"  {Printable.Of(texts[i], ShownCharacters)}");
        }
    }

    /// <summary>The cosine of the angle between two vectors; 0 where one has no direction.</summary>
    private static double Cosine(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        double product = 0, leftSquares = 0, rightSquares = 0;
        for (int i = 0; i < left.Length; i++)
        {
            product += (double)left[i] * right[i];
            leftSquares += (double)left[i] * left[i];
            rightSquares += (double)right[i] * right[i];
        }

        double lengths = Math.Sqrt(leftSquares) * Math.Sqrt(rightSquares);
        return lengths == 0 ? 0 : Math.Clamp(product / lengths, -1, 1);
    }
}
