namespace FastAttn.Runtime;

/// <summary>How a row of keys or values becomes floats, except for scales that are stored separately.</summary>
internal unsafe interface IStoredRow
{
    /// <summary>Bytes before a column or, if the row has groups, before that column's group.</summary>
    /// <param name="column">The column.</param>
    static abstract nint Offset(nint column);

    /// <summary>Reads a vector.</summary>
    /// <param name="row">The row.</param>
    /// <param name="column">The column of the vector's first lane; a multiple of its lanes if the row has groups.</param>
    static abstract TLanes Load<TLanes>(byte* row, nint column)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Reads two consecutive vectors, which in a row of groups belong to one group.</summary>
    /// <param name="row">The row.</param>
    /// <param name="column">The column of the first lane; a multiple of two vectors if the row has groups.</param>
    /// <param name="first">The first vector.</param>
    /// <param name="second">The second vector.</param>
    static abstract void LoadPair<TLanes>(byte* row, nint column, out TLanes first, out TLanes second)
        where TLanes : struct, ILanes<TLanes>;
}
