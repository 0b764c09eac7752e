namespace FastAttn.Runtime;

/// <summary>A block of keys and values, as rows of floats that can be read.</summary>
internal readonly struct KeyValueBlock
{
    /// <summary>Its first key.</summary>
    public int First { get; init; }

    /// <summary>Its keys.</summary>
    public int Count { get; init; }

    /// <summary>Keys after it up to the last that some query sees.</summary>
    public int KeysAfter { get; init; }

    /// <summary>Whether it is the last.</summary>
    public bool IsLast => KeysAfter == 0;

    /// <summary>The keys.</summary>
    public BlockRows Keys { get; init; }

    /// <summary>What the keys are.</summary>
    public AttentionElement KeyElement { get; init; }

    /// <summary>The values, without NaN and ±∞ where they are cleaned of these.</summary>
    public BlockRows Values { get; init; }

    /// <summary>What these values are.</summary>
    public AttentionElement ValueElement { get; init; }

    /// <summary>The values as the caller gave them.</summary>
    public BlockRows GivenValues { get; init; }

    /// <summary>What the values are as the caller gave them.</summary>
    public AttentionElement GivenElement { get; init; }
}
