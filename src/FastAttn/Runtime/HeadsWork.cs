using System;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// What is done to projected heads before attention: RMS normalisation, rotary embedding, and the way into a cache. A tile is
/// some tokens of a sequence.
/// </summary>
internal unsafe struct HeadsWork : ITiledWork
{
    private const int TokensPerTile = 16;

    /// <summary>[batch, length, heads, dim].</summary>
    public float* Source;

    /// <summary>Where the heads go; <see cref="Source"/> to stay.</summary>
    public float* Destination;

    /// <summary>Of the destination.</summary>
    public AttentionStrides Strides;

    public int Batch;
    public int Length;
    public int Heads;
    public int Dim;

    /// <summary>The position of each sequence's first token; null for 0.</summary>
    public int* Starts;

    /// <summary>
    /// The position after each sequence's last token, where tokens go to a cache and stand there at their positions; null where they
    /// stand as in the source.
    /// </summary>
    public int* Ends;

    /// <summary>Factors of the normalisation; empty for none.</summary>
    public float[] Norm;
    public float Epsilon;
    public RotaryEmbedding? Rotary;

    /// <inheritdoc/>
    public readonly long Tiles => (long)Batch * TilesPerSequence;

    /// <inheritdoc/>
    public readonly double Cost
    {
        get
        {
            // An element takes as long as some multiply-adds of a product.
            const double PerElement = 16;
            return PerElement * Batch * Length * Heads * Dim;
        }
    }

    /// <inheritdoc/>
    public readonly long WorkspaceFloats => 0;

    private readonly int TilesPerSequence => (int)(((long)Length + TokensPerTile - 1) / TokensPerTile);

    /// <summary>Whether there is anything to do.</summary>
    public readonly bool IsNeeded => Source != Destination || Norm.Length > 0 || Rotary is not null;

    /// <inheritdoc/>
    public readonly void Run(long tile, long next, Workspace workspace)
    {
        (long batch, long part) = Math.DivRem(tile, TilesPerSequence);
        int start = Starts == null ? 0 : Starts[batch], first = (int)part * TokensPerTile;
        int end = Math.Min(first + TokensPerTile, Ends == null ? Length : Ends[batch] - start);
        for (int token = first; token < end; token++)
        {
            float* source = Source + (batch * Length + token) * Heads * Dim;
            float* destination = Destination + batch * Strides.Batch + (Ends == null ? token : start + token) * Strides.Length;
            for (int head = 0; head < Heads; head++, source += Dim, destination += Strides.Head)
            {
                Span<float> row = new(destination, Dim);
                if (source != destination)
                    new ReadOnlySpan<float>(source, Dim).CopyTo(row);
                if (Norm.Length > 0)
                    Normalise(row, Norm, Epsilon);
                Rotary?.Turn(row, start + token);
            }
        }
    }

    /// <summary>x[i]·g[i] / √(mean(x²) + ε) (arXiv 1910.07467).</summary>
    private static void Normalise(Span<float> row, ReadOnlySpan<float> factors, float epsilon)
    {
        Vector128<float> squares = Vector128<float>.Zero;
        int i = 0;
        for (; i + Vector128<float>.Count <= row.Length; i += Vector128<float>.Count)
        {
            Vector128<float> x = Vector128.Create<float>(row[i..]);
            squares += x * x;
        }

        float sum = Vector128.Sum(squares);
        for (; i < row.Length; i++)
            sum += row[i] * row[i];
        float inverse = 1 / MathF.Sqrt(sum / row.Length + epsilon);
        for (i = 0; i + Vector128<float>.Count <= row.Length; i += Vector128<float>.Count)
            (Vector128.Create<float>(row[i..]) * inverse * Vector128.Create(factors[i..])).CopyTo(row[i..]);
        for (; i < row.Length; i++)
            row[i] = row[i] * inverse * factors[i];
    }
}
