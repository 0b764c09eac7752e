namespace FastAttn.Runtime;

/// <summary>The rows that a buffer has to have.</summary>
internal struct BufferRows
{
    /// <summary>What the batch axis is.</summary>
    public string Axis;

    /// <summary>Its length.</summary>
    public int Batch;

    public int Heads;
    public int Tokens;

    /// <summary>Elements of a row.</summary>
    public int Dim;

    /// <summary>The order of the axes, where the buffer has no strides of its own.</summary>
    public AttentionLayout Layout;

    /// <summary>Whether there is no row.</summary>
    public readonly bool AreNone => Batch == 0 || Heads == 0 || Tokens == 0;
}
