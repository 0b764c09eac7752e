namespace FastAttn;

/// <summary>Which part of a sequence's keys a call has: its key 0 is key <see cref="Start"/> of <see cref="KeyLength"/> (<see cref="AttentionOptions.KeyPart"/>).</summary>
public readonly record struct AttentionKeyPart
{
    /// <summary>Names the part.</summary>
    /// <param name="start">The position of the call's first key among all keys, at least 0.</param>
    /// <param name="keyLength">All keys of the sequence, those of the other parts included.</param>
    public AttentionKeyPart(int start, int keyLength)
    {
        Start = start;
        KeyLength = keyLength;
    }

    /// <summary>The position of the call's first key among all keys.</summary>
    public int Start { get; init; }

    /// <summary>All keys of the sequence, those of the other parts included.</summary>
    public int KeyLength { get; init; }
}
