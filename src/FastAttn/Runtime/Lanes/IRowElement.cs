namespace FastAttn.Runtime;

/// <summary>An element type of rows that become lanes: how it is read as a float.</summary>
internal unsafe interface IRowElement
{
    /// <summary>Whether the element only hides keys or not, so that it can be laid over a mask that is there already.</summary>
    static abstract bool OnlyHides { get; }

    /// <summary>Reads a vector of elements of a row, from element <paramref name="index"/> on, times a factor where they are numbers.</summary>
    static abstract TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector>;
}
