namespace FastAttn.Runtime;

/// <summary>The rows that a buffer must have.</summary>
internal struct BufferRows
{
    /// <summary>Sequences or, with <see cref="ArePages"/>, pages.</summary>
    public int Batch;

    /// <summary>Whether the batch axis is that of pages, each of <see cref="Tokens"/> tokens.</summary>
    public bool ArePages;

    /// <summary>The sequence that has the last of the pages, if their number follows from a call's <see cref="AttentionOptions.KeyPages"/>; else null.</summary>
    public int? LastPageOf;

    public int Heads;
    public int Tokens;

    /// <summary>Elements of a row.</summary>
    public int Dim;

    /// <summary>The order of the axes, if the buffer has no strides.</summary>
    public AttentionLayout Layout;

    /// <summary>Whether there is no row.</summary>
    public readonly bool AreNone => Batch == 0 || Heads == 0 || Tokens == 0;
}
