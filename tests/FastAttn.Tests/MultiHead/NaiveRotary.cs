using System;

namespace FastAttn.Tests.MultiHead;

/// <summary>The rotary embedding as ONNX RotaryEmbedding describes it, in double.</summary>
internal static class NaiveRotary
{
    public static void Turn(Span<double> head, int dimensions, RotaryPairing pairing, double frequencyBase, int position) =>
        Turn(head, dimensions, pairing, frequencyBase, _ => position, 1);

    /// <summary>With a position for each pair and a factor of cosines and sines.</summary>
    public static void Turn(Span<double> head, int dimensions, RotaryPairing pairing, double frequencyBase, Func<int, int> positionOf, double factor)
    {
        for (int i = 0; i < dimensions / 2; i++)
        {
            double angle = positionOf(i) * Math.Pow(frequencyBase, -2.0 * i / dimensions);
            (int first, int second) = pairing == RotaryPairing.Interleaved ? (2 * i, 2 * i + 1) : (i, i + dimensions / 2);
            (double x, double y) = (head[first], head[second]);
            head[first] = factor * (Math.Cos(angle) * x - Math.Sin(angle) * y);
            head[second] = factor * (Math.Sin(angle) * x + Math.Cos(angle) * y);
        }
    }
}
