namespace FastAttn.Runtime;

/// <summary>How stored elements of one type, weights or keys and values, become floats.</summary>
internal interface IStoredElement
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Reads as many elements as a vector has lanes.</summary>
    /// <param name="source">The first of them.</param>
    static abstract unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes>;
}
