namespace FastAttn.Runtime;

/// <summary>A kind of mask: its element type, its feature, and which keys at the ends of a range it hides.</summary>
internal unsafe interface IMaskElement : IRowElement
{
    /// <summary>The feature that a kernel is declared with.</summary>
    static abstract AttentionFeatures Feature { get; }

    /// <summary>Size of an element.</summary>
    static abstract int Bits { get; }

    /// <summary>Whether the first element of a row hides.</summary>
    static abstract bool HidesFirst(void* row);

    /// <summary>Moves the ends of a range of keys inwards over those that the row hides; an empty range has its start as its limit.</summary>
    static abstract void Narrow(void* row, ref int start, ref int limit);
}
