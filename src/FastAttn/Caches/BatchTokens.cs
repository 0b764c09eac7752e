using System;

namespace FastAttn;

/// <summary>
/// The tokens of a batch: [B, L], or [T] where the sequences follow each other without padding. <c>default</c> for none.
/// </summary>
internal readonly ref struct BatchTokens
{
    /// <summary>Sequences B.</summary>
    public int Batch { get; init; }

    /// <summary>Tokens L of each sequence; of ragged sequences a bound.</summary>
    public int Length { get; init; }

    /// <summary>[B]: for each padded sequence how many of its tokens are of use; all where empty.</summary>
    public ReadOnlySpan<int> Lengths { get; init; }

    /// <summary>[B + 1]: the first token of each ragged sequence, and the end; empty where sequences have one length.</summary>
    public ReadOnlySpan<int> Starts { get; init; }

    /// <summary>Whether sequences follow each other without padding.</summary>
    public bool IsRagged => !Starts.IsEmpty;

    /// <summary>Rows of the batch, T: no more than an <see cref="int"/> holds once they are checked.</summary>
    public long Count => IsRagged ? Starts[^1] : (long)Batch * Length;

    /// <summary>The tokens of the longest sequence, with its padding.</summary>
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

    /// <summary>How many tokens of a sequence are of use.</summary>
    public int LengthOf(int sequence) =>
        IsRagged ? Starts[sequence + 1] - Starts[sequence] : Lengths.IsEmpty ? Length : Lengths[sequence];

    /// <summary>The sizes, as errors name them.</summary>
    public override string ToString() => IsRagged ? $"{Count} tokens" : $"batch {Batch} × length {Length}";
}
