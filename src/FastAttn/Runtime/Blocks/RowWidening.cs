using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Copies rows of keys or values as floats, whatever their element type.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <param name="rows">The first row.</param>
/// <param name="count">How many rows.</param>
/// <param name="columns">Elements of a row.</param>
/// <param name="destination">Written.</param>
/// <param name="copiedColumns">Floats from row to row there; those past the columns become 0.</param>
internal readonly unsafe struct RowWidening<TVector>(BlockRows rows, int count, int columns, float* destination, int copiedColumns) : IStoredVisitor
    where TVector : struct, ILanes<TVector>
{
    /// <summary>Widens rows one stride apart, scaled.</summary>
    /// <param name="stored">All rows.</param>
    /// <param name="first">The first of those.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="destination">Written.</param>
    /// <param name="copiedColumns">Floats from row to row there; those past the columns become 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(in StoredRows stored, int first, int count, int columns, float* destination, int copiedColumns)
    {
        if (stored.Element == AttentionElement.Int4)
        {
            Int4Widening<TVector>.Widen(stored, first, count, columns, destination, copiedColumns);
            return;
        }

        BlockRows together = new(stored.Row(first), stored.Stride);
        RowWidening<TVector> rows = new(together, count, columns, destination, copiedColumns);
        if (stored.Element == AttentionElement.Float16 && NearHalves.Kind(together, count, columns).AreFinite)
            rows.Visit<PlainRow<StoredFiniteHalf>>();
        else
            StoredElements.Visit(stored.Element, ref rows);
        if (stored.PagesAndScales == null)
            return;
        for (int i = 0; i < count; i++, destination += copiedColumns)
        {
            if (stored.HasScales)
                RowScaling<TVector>.Scale(destination, stored.Scale(first + i), columns);
            if (stored.PagesAndScales->ColumnScales != null)
                RowScaling<TVector>.Multiply(destination, stored.PagesAndScales->ColumnScales, columns);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Visit<TRow>()
        where TRow : struct, IStoredRow
    {
        float* to = destination;
        BlockRows from = rows;
        int n = TVector.Count;
        for (int j = 0; j < count; j++, to += copiedColumns, from = from.From(1))
        {
            int c = 0;
            for (; c + 2 * n <= columns; c += 2 * n)
            {
                TRow.LoadPair(from.First, c, out TVector x, out TVector y);
                x.Store(ref to[c]);
                y.Store(ref to[c + n]);
            }

            for (; c + n <= columns; c += n)
                TRow.Load<TVector>(from.First, c).Store(ref to[c]);
            for (; c < columns; c++)
                TRow.Load<Lanes1>(from.First, c).Store(ref to[c]);
            new Span<float>(to + c, copiedColumns - c).Clear();
        }
    }
}
