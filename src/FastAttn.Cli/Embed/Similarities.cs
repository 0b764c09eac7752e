using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;

using static System.FormattableString;

namespace FastAttn.Cli;

/// <summary>Prints the cosine of each two vectors, a row for each text.</summary>
internal static class Similarities
{
    /// <summary>The maximum number of texts: rows of more would not fit on a screen.</summary>
    public const int MaxTexts = 20;

    private const int ShownCharacters = 60;

    public static void Write(TextWriter output, IReadOnlyList<string> texts, IReadOnlyList<float[]> vectors)
    {
        for (int i = 0; i < texts.Count; i++)
        {
            string row = string.Concat(vectors.Select(other => Invariant($"{Cosine(vectors[i], other),8:F4}")));
            output.WriteLine($"{row}  {Printable.Of(texts[i], ShownCharacters)}");
        }
    }

    /// <summary>The cosine of the angle between two vectors; 0 where one has no direction.</summary>
    private static double Cosine(float[] left, float[] right)
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
