using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Makes a row of keys or values floats: copies it, whatever it consists of.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="row">The row.</param>
/// <param name="destination">Written: as many floats as there are columns.</param>
/// <param name="columns">Elements of the row.</param>
internal readonly unsafe struct RowWidening<TVector>(byte* row, float* destination, int columns) : IStoredVisitor
    where TVector : struct, ILanes<TVector>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Visit<TStored>()
        where TStored : struct, IStoredElement
    {
        int i = 0;
        for (; i + TVector.Count <= columns; i += TVector.Count)
            TStored.Load<TVector>(row + i * TStored.Bytes).Store(ref destination[i]);
        for (; i < columns; i++)
            TStored.Load<Lanes1>(row + i * TStored.Bytes).Store(ref destination[i]);
    }
}
