namespace FastAttn.Runtime;

/// <summary>As many rows as a vector has lanes, from each of which a vector is read.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface ISquareSource<TVector>
{
    /// <summary>Reads the vector of row <paramref name="row"/>.</summary>
    TVector Load(int row);
}
