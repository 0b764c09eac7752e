namespace FastAttn.Runtime;

/// <summary>A block of keys and values that can be read.</summary>
internal struct KeyValueBlock
{
    /// <summary>Its first key.</summary>
    public int First;

    /// <summary>Its keys.</summary>
    public int Count;

    /// <summary>The number of keys after it up to the last that some query sees.</summary>
    public int KeysAfter;

    /// <summary>Whether it is the last.</summary>
    public readonly bool IsLast => KeysAfter == 0;

    /// <summary>The keys.</summary>
    public StoredRows Keys;

    /// <summary>The values, without NaN and ±∞ if they are cleaned of these.</summary>
    public StoredRows Values;

    /// <summary>The values as the caller gave them.</summary>
    public StoredRows GivenValues;
}
