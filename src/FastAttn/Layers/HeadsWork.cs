using System;

namespace FastAttn.Runtime;

/// <summary>
/// What is done to projected heads before attention: normalisation, rotary embedding, and writing into a cache. A tile is
/// some tokens, of one sequence or of several.
/// </summary>
internal unsafe struct HeadsWork : ITiledWork
{
    // The queries of 16 tokens of 12 heads of 64 floats are 48 KiB. A choice, not a measurement: a tile must only take long compared with claiming it.
    private const int MaxTokensPerTile = 16;

    /// <summary>[batch, length, heads, dim] or, if sequences follow each other without padding, [tokens, heads, dim]: normalised and rotated in place.</summary>
    public float* Source;

    /// <summary>The cache into which they are then written; null for none.</summary>
    public AttentionCache? Cache;

    /// <summary>The projection to which the heads belong.</summary>
    public HeadsKind Kind;

    public int Batch;

    /// <summary>Tokens of each sequence, if <see cref="TokenStarts"/> is null.</summary>
    public int Length;

    /// <summary>Tokens of all sequences.</summary>
    public int Tokens;

    public int Heads;
    public int Dim;

    /// <summary>[batch + 1]: for each sequence its first token, and the end; null if each has <see cref="Length"/> tokens.</summary>
    public int* TokenStarts;

    /// <summary>For each sequence how many tokens are needed; null for all.</summary>
    public int* TokenLengths;

    /// <summary>For each sequence the position of its first token; null for <see cref="CommonStart"/>.</summary>
    public int* PositionStarts;

    /// <summary>The position of the first token of every sequence, if <see cref="PositionStarts"/> is null.</summary>
    public int CommonStart;

    /// <summary>Null for none.</summary>
    public HeadNorm? Norm;

    /// <summary>Null for none.</summary>
    public RotaryEmbedding? Rotary;

    /// <summary>[axes, tokens]: the positions of the tokens; null if they follow from that of the first.</summary>
    public int* Positions;

    /// <inheritdoc/>
    public readonly long Tiles => ((long)Tokens + TokensPerTile - 1) / TokensPerTile;

    /// <summary>Whether the cache rounds tokens together: those of a sequence's open group with each append (<see cref="OpenGroup"/>).</summary>
    private readonly bool RoundsTogether => Cache is not null && (Kind == HeadsKind.Keys ? Cache.KeyElement : Cache.ValueElement) == AttentionElement.Int4;

    /// <summary>Tokens that begin a tile. If one token of a sequence takes as long as its open group, each sequence of a decoding step is a tile.</summary>
    private readonly int TokensPerTile => RoundsTogether ? Math.Clamp(Tokens / Math.Max(Batch, 1), 1, MaxTokensPerTile) : MaxTokensPerTile;

    /// <inheritdoc/>
    public readonly double Cost
    {
        get
        {
            // An element takes as long as some multiply-adds of a product, and so does one that is rounded again.
            const double PerElement = 16;
            double tokens = Tokens;
            for (int sequence = 0; RoundsTogether && sequence < Batch; sequence++)
            {
                if (LengthOf(sequence) > 0)
                    tokens += Cache!.Starts[sequence] % OpenGroup.Tokens;
            }

            return PerElement * tokens * Heads * Dim;
        }
    }

    /// <inheritdoc/>
    public readonly long WorkspaceFloats => 0;

    private readonly ReadOnlySpan<int> PositionsFrom(long token) => new ReadOnlySpan<int>(Positions, Rotary!.Axes * Tokens)[(int)token..];

    /// <summary>Whether there is anything to do.</summary>
    public readonly bool IsNeeded => Cache is not null || Norm is not null || Rotary is not null;

    /// <inheritdoc/>
    public readonly void Run(long tile, long next, Workspace workspace)
    {
        int end = StartOf(tile + 1);
        Span<float> scratch = stackalloc float[Rotary?.Dim ?? 0];
        for (int index = StartOf(tile), count; index < end; index += count)
        {
            (int sequence, int token) = TokenAt(index);
            count = 1;
            if (TokenLengths != null && token >= TokenLengths[sequence])
                continue;
            if (Cache is not null)
                count = Cache.Together(sequence, token, LengthOf(sequence) - token);
            for (int i = 0; i < count; i++)
                Prepare(index + i, sequence, token + i, scratch);
            NewRows rows = new(new(Source + (long)index * Heads * Dim, count * Heads * Dim), count);
            if (Kind == HeadsKind.Keys)
                Cache?.WriteKeys(sequence, token, rows);
            else if (Kind == HeadsKind.Values)
                Cache?.WriteValues(sequence, token, rows);
        }
    }

    /// <summary>Normalises and rotates the heads of a token.</summary>
    private readonly void Prepare(int index, int sequence, int token, Span<float> scratch)
    {
        Span<float> heads = new(Source + (long)index * Heads * Dim, Heads * Dim);
        if (Norm is { IsAfterRotary: false })
            Norm.Apply(heads);
        if (Rotary is not null)
            Rotary.Turn(heads, Dim, Positions == null ? Rotary.Row(PositionOf(sequence, token), scratch) : Rotary.Row(PositionsFrom(index), Tokens, scratch));
        if (Norm is { IsAfterRotary: true })
            Norm.Apply(heads);
    }

    /// <summary>The first token of a tile. Tokens that the cache takes together belong to the tile of the first of them.</summary>
    private readonly int StartOf(long tile)
    {
        int index = (int)Math.Min(tile * TokensPerTile, Tokens);
        if (Cache is null || index == Tokens)
            return index;
        (int sequence, int token) = TokenAt(index);
        int length = LengthOf(sequence);
        return token > 0 && token < length ? index + Cache.Together(sequence, token - 1, length - token + 1) - 1 : index;
    }

    /// <summary>How many tokens of a sequence are needed.</summary>
    private readonly int LengthOf(int sequence)
    {
        if (TokenLengths != null)
            return TokenLengths[sequence];
        return TokenStarts == null ? Length : TokenStarts[sequence + 1] - TokenStarts[sequence];
    }

    private readonly int PositionOf(int sequence, int token) => (PositionStarts == null ? CommonStart : PositionStarts[sequence]) + token;

    /// <summary>The sequence of a token, and its number in it.</summary>
    private readonly (int Sequence, int Token) TokenAt(int index)
    {
        if (TokenStarts == null)
            return Math.DivRem(index, Length);

        // The last sequence that begins at or before the token: those without tokens begin where the next one does.
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
