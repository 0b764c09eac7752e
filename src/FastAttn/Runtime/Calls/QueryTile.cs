namespace FastAttn.Runtime;

/// <summary>Rows of one stream that are processed together (<see cref="TilePartition"/>).</summary>
/// <param name="Batch">The sequence.</param>
/// <param name="Stream">The stream in the sequence.</param>
/// <param name="FirstRow">First row in the stream.</param>
/// <param name="RowCount">Rows, at least 1.</param>
/// <param name="Split">Which of the splits that the rows may see; 0 if their keys are not cut.</param>
/// <param name="IsFolded">Whether the stream is that of a key-value head, with the rows of all query heads of its group one head after the other; else it is that of a query head.</param>
internal readonly record struct QueryTile(int Batch, int Stream, long FirstRow, int RowCount, int Split, bool IsFolded)
{
    /// <summary>Some of the rows. Rebuilt rather than copied: a copy waits for what was just written.</summary>
    /// <param name="first">The first of them, counted from the tile's first.</param>
    /// <param name="count">How many.</param>
    public QueryTile Part(int first, int count) => new(Batch, Stream, FirstRow + first, count, Split, IsFolded);
}
