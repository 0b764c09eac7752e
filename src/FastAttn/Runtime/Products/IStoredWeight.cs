namespace FastAttn.Runtime;

/// <summary>How packed weights of one type become floats.</summary>
internal interface IStoredWeight
{
    /// <summary>Bytes of a weight.</summary>
    static abstract int Bytes { get; }

    /// <summary>Reads as many weights as a vector has lanes.</summary>
    /// <param name="source">The first of them.</param>
    static abstract unsafe TLanes Load<TLanes>(byte* source)
        where TLanes : struct, ILanes<TLanes>;
}
