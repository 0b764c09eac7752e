namespace FastAttn.Runtime;

/// <summary>As many rows as a vector has lanes, to each of which a vector is written.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface ISquareSink<TVector>
{
    /// <summary>Writes the vector of row <paramref name="row"/>.</summary>
    void Store(int row, TVector vector);
}
