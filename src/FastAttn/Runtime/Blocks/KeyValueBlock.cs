namespace FastAttn.Runtime;

/// <summary>A block of keys and values that can be read.</summary>
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
    public StoredRows Keys { get; init; }

    /// <summary>The values, without NaN and ±∞ where they are cleaned of these.</summary>
    public StoredRows Values { get; init; }

    /// <summary>The values as the caller gave them.</summary>
    public StoredRows GivenValues { get; init; }
}
