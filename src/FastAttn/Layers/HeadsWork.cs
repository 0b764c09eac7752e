using System;

namespace FastAttn.Runtime;

/// <summary>
/// What is done to projected heads before attention: normalisation, rotary embedding, and the way into a cache. A tile is
/// some tokens, of one sequence or of several.
/// </summary>
internal unsafe struct HeadsWork : ITiledWork
{
    // The queries of 16 tokens of 12 heads of 64 floats are 48 KiB. A choice, not a measurement: a tile must only be long beside the taking of it.
    private const int TokensPerTile = 16;

    /// <summary>[batch, length, heads, dim] or, where sequences follow each other without padding, [tokens, heads, dim]: normalised and turned in place.</summary>
    public float* Source;

    /// <summary>Where the heads are copied to then; null where they stay.</summary>
    public float* Destination;

    /// <summary>Of the destination.</summary>
    public AttentionStrides Strides;

    public int Batch;

    /// <summary>Tokens of each sequence, where <see cref="TokenStarts"/> is null.</summary>
    public int Length;

    /// <summary>Tokens of all sequences.</summary>
    public int Tokens;

    public int Heads;
    public int Dim;

    /// <summary>[batch + 1]: for each sequence its first token, and the end; null where each has <see cref="Length"/> of them.</summary>
    public int* TokenStarts;

    /// <summary>
    /// For each sequence where its first token goes in the destination. Without <see cref="Positions"/> that is the token's position too.
    /// Null for <see cref="CommonStart"/>.
    /// </summary>
    public int* Starts;

    /// <summary>Where the first token of every sequence stands, where <see cref="Starts"/> is null.</summary>
    public int CommonStart;

    /// <summary>For each sequence the index after its last token that is needed; null for all tokens.</summary>
    public int* Ends;

    /// <summary>Null for none.</summary>
    public HeadNorm? Norm;

    /// <summary>Null for none.</summary>
    public RotaryEmbedding? Rotary;

    /// <summary>[axes, tokens]: the positions of the tokens; null where they follow from <see cref="Starts"/>.</summary>
    public int* Positions;

    /// <inheritdoc/>
    public readonly long Tiles => ((long)Tokens + TokensPerTile - 1) / TokensPerTile;

    /// <inheritdoc/>
    public readonly double Cost
    {
        get
        {
            // An element takes as long as some multiply-adds of a product.
            const double PerElement = 16;
            return PerElement * Tokens * Heads * Dim;
        }
    }

    /// <inheritdoc/>
    public readonly long WorkspaceFloats => 0;

    private readonly ReadOnlySpan<int> PositionsFrom(long token) => new ReadOnlySpan<int>(Positions, Rotary!.Axes * Tokens)[(int)token..];

    /// <summary>Whether there is anything to do.</summary>
    public readonly bool IsNeeded => Destination != null || Norm is not null || Rotary is not null;

    /// <inheritdoc/>
    public readonly void Run(long tile, long next, Workspace workspace)
    {
        long first = tile * TokensPerTile, end = Math.Min(first + TokensPerTile, Tokens);
        Span<float> scratch = stackalloc float[Rotary?.Dim ?? 0];
        for (long index = first; index < end; index++)
        {
            (int sequence, int token) = TokenAt((int)index);
            int place = (Starts == null ? CommonStart : Starts[sequence]) + token;
            if (Ends != null && place >= Ends[sequence])
                continue;
            float* source = Source + index * Heads * Dim;
            Span<float> heads = new(source, Heads * Dim);
            if (Norm is { IsAfterRotary: false })
                Norm.Apply(heads);
            if (Rotary is not null)
                Rotary.Turn(heads, Dim, Positions == null ? Rotary.Row(place, scratch) : Rotary.Row(PositionsFrom(index), Tokens, scratch));
            if (Norm is { IsAfterRotary: true })
                Norm.Apply(heads);
            if (Destination == null)
                continue;
            float* destination = Destination + sequence * Strides.Batch + place * Strides.Length;
            for (int head = 0; head < Heads; head++)
                heads.Slice(head * Dim, Dim).CopyTo(new(destination + head * Strides.Head, Dim));
        }
    }

    /// <summary>The sequence of a token, and its number in it.</summary>
    private readonly (int Sequence, int Token) TokenAt(int index)
    {
        if (TokenStarts == null)
            return Math.DivRem(index, Length);

        // The last sequence that begins at the token or before it: those without tokens begin where the next one does.
        int sequence = 0, after = Batch;
        while (after - sequence > 1)
        {
            int middle = sequence + (after - sequence) / 2;
            if (TokenStarts[middle] <= index)
                sequence = middle;
            else
                after = middle;
        }

        return (sequence, index - TokenStarts[sequence]);
    }
}
