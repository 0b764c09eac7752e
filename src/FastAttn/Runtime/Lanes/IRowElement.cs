namespace FastAttn.Runtime;

/// <summary>An element type of rows that become lanes: how it is read as a float.</summary>
internal unsafe interface IRowElement
{
    /// <summary>Whether the element only shows or hides keys, so that it can be combined with a mask that is already there.</summary>
    static abstract bool OnlyHides { get; }

    /// <summary>Reads a vector of elements of a row, from element <paramref name="index"/> on, times a factor if they are numbers.</summary>
    static abstract TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector>;
}
