namespace FastAttn.Runtime;

/// <summary>The rows that a buffer has to have.</summary>
internal struct BufferRows
{
    /// <summary>Sequences or, with <see cref="ArePages"/>, pages.</summary>
    public int Batch;

    /// <summary>Whether the batch axis is that of pages, each of as many tokens as there are.</summary>
    public bool ArePages;

    /// <summary>The sequence that has the last of the pages, where these are as many as a call's <see cref="AttentionOptions.KeyPages"/> name; else null.</summary>
    public int? LastPageOf;

    public int Heads;
    public int Tokens;

    /// <summary>Elements of a row.</summary>
    public int Dim;

    /// <summary>The order of the axes, where the buffer has no strides of its own.</summary>
    public AttentionLayout Layout;

    /// <summary>Whether there is no row.</summary>
    public readonly bool AreNone => Batch == 0 || Heads == 0 || Tokens == 0;
}
