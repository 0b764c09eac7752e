namespace FastAttn.Generators.Model;

/// <summary>A register tile: rows of broadcast scalars × vectors of queries, one accumulator each.</summary>
/// <param name="Rows">Rows (MR): keys of a score tile, value columns of a value tile.</param>
/// <param name="Vectors">Vectors (NR).</param>
internal readonly record struct TileShape(int Rows, int Vectors)
{
    /// <summary>As in comments.</summary>
    public string VectorsText => Vectors == 1 ? "1 vector" : $"{Vectors} vectors";

    public override string ToString() => $"{Rows}x{Vectors}";
}
