using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Transposes and scales the queries of a register tile, whatever their element type (<see cref="LanePacking{TVector}.Pack"/>).</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="rows">The start of the row of each lane.</param>
/// <param name="columns">Elements of a row.</param>
/// <param name="scale">The factor.</param>
/// <param name="destination">Qt, written.</param>
/// <param name="width">Lanes.</param>
/// <param name="stride">Floats from row to row of Qt.</param>
internal readonly unsafe struct QueryPacking<TVector>(void** rows, int columns, float scale, float* destination, int width, int stride) : IStoredVisitor
    where TVector : struct, ILanes<TVector>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Visit<TRow>()
        where TRow : struct, IStoredRow => LanePacking<TVector>.Pack<QueryElement<TRow>>(rows, 0, columns, scale, destination, width, stride);
}
