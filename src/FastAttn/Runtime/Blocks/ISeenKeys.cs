namespace FastAttn.Runtime;

/// <summary>Which key blocks some query sees.</summary>
internal interface ISeenKeys
{
    /// <summary>The first key of the first block.</summary>
    int First { get; }

    /// <summary>The first key after the last that some query sees; at most <see cref="First"/> if no query sees any.</summary>
    int Limit { get; }

    /// <summary>Whether some query sees a key of a block.</summary>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    bool Sees(int first, int count);
}
