using System;
using System.Numerics;

namespace FastAttn.Embeddings.Layers;

/// <summary>The vector of a text out of the hidden states of its tokens.</summary>
internal static class SentenceVector
{
    /// <summary>Pools hidden states.</summary>
    /// <param name="states">[L, d], L at least 1.</param>
    /// <param name="pooling">How.</param>
    /// <param name="vector">Written: d elements.</param>
    public static void Pool(ReadOnlySpan<float> states, PoolingMode pooling, Span<float> vector)
    {
        states[..vector.Length].CopyTo(vector);
        if (pooling == PoolingMode.Cls)
            return;
        int tokens = states.Length / vector.Length;
        for (int token = 1; token < tokens; token++)
            Add(states.Slice(token * vector.Length, vector.Length), vector);
        foreach (ref float element in vector)
            element /= tokens;
    }

    /// <summary>Divides a vector by its length, or by 10⁻¹² where it is shorter, as PyTorch's <c>normalize</c> does.</summary>
    public static void Normalize(Span<float> vector)
    {
        const double Shortest = 1e-12;
        double squares = 0;
        foreach (float element in vector)
            squares += (double)element * element;
        double length = Math.Max(Math.Sqrt(squares), Shortest);
        foreach (ref float element in vector)
            element = (float)(element / length);
    }

    private static void Add(ReadOnlySpan<float> row, Span<float> sum)
    {
        int i = 0;
        for (; i <= sum.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(sum[i..]) + new Vector<float>(row[i..])).CopyTo(sum[i..]);
        for (; i < sum.Length; i++)
            sum[i] += row[i];
    }
}
