namespace FastAttn.Benchmarks.Mixed;

/// <summary>What of a mixed batch is computed, and in how many calls.</summary>
internal enum MixedPart
{
    /// <summary>All sequences in one call.</summary>
    Whole,

    /// <summary>The sequences of several queries in one call: the next chunks of prompts.</summary>
    Chunks,

    /// <summary>The sequences of one query in one call: the next tokens of answers.</summary>
    Tokens,

    /// <summary>All sequences, each in a call of its own.</summary>
    OneByOne,
}
