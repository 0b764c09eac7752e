using System;

namespace FastAttn;

/// <summary>
/// The tokens of a batch: [B, L], or [T] where the sequences follow each other without padding. <c>default</c> for none.
/// </summary>
internal readonly ref struct BatchTokens
{
    /// <summary>Sequences B.</summary>
    public int Batch { get; init; }

    /// <summary>Tokens L of each sequence; a bound if sequences are ragged.</summary>
    public int Length { get; init; }

    /// <summary>[B]: for each padded sequence how many of its tokens are valid; all if empty.</summary>
    public ReadOnlySpan<int> Lengths { get; init; }

    /// <summary>[B + 1]: the first token of each ragged sequence, and the end; empty if sequences have one length.</summary>
    public ReadOnlySpan<int> Starts { get; init; }

    /// <summary>Whether sequences follow each other without padding.</summary>
    public bool IsRagged => !Starts.IsEmpty;

    /// <summary>Rows of the batch, T: fits in an <see cref="int"/> once it has been checked.</summary>
    public long Count => IsRagged ? Starts[^1] : (long)Batch * Length;

    /// <summary>The tokens of the longest sequence, including its padding.</summary>
    public int Longest
    {
        get
        {
            if (!IsRagged)
                return Length;
            int longest = 0;
            for (int b = 0; b < Batch; b++)
                longest = Math.Max(longest, LengthOf(b));
            return longest;
        }
    }

    /// <summary>How many tokens of a sequence are valid.</summary>
    public int LengthOf(int sequence) =>
        IsRagged ? Starts[sequence + 1] - Starts[sequence] : Lengths.IsEmpty ? Length : Lengths[sequence];

    /// <summary>The sizes, as errors name them.</summary>
    public override string ToString() => IsRagged ? $"{Count} tokens" : $"batch {Batch} × length {Length}";
}
