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
    /// <summary>Widens a row, scaled.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="index">Which.</param>
    /// <param name="destination">Written: as many floats as there are columns.</param>
    /// <param name="columns">Elements of the row.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Widen(in StoredRows rows, int index, float* destination, int columns) => Widen(rows, rows.Row(index), 0, index, destination, columns);

    /// <summary>Widens rows that stand at the stride, scaled.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="destination">Written: for each row as many floats as there are columns.</param>
    /// <param name="columns">Elements of a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(in StoredRows rows, int first, int count, float* destination, int columns)
    {
        byte* row = rows.Row(first);
        switch (rows.Element)
        {
            case AttentionElement.Int8Group32:
                for (int i = 0; i < count; i++, row += rows.Stride, destination += columns)
                    WidenInt8Groups(row, destination, columns);
                break;
            case AttentionElement.Int4Group32:
                for (int i = 0; i < count; i++, row += rows.Stride, destination += columns)
                    WidenInt4Groups(row, destination, columns);
                break;
            default:
                for (int i = 0; i < count; i++, row += rows.Stride, destination += columns)
                    Widen(rows, row, 0, first + i, destination, columns);
                break;
        }
    }

    /// <summary>Widens a part of a row, scaled.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="row">The part.</param>
    /// <param name="first">Its first column; the begin of a group.</param>
    /// <param name="index">Which row it is of.</param>
    /// <param name="destination">Written: as many floats as there are columns.</param>
    /// <param name="columns">Elements of the part; whole groups.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(in StoredRows rows, byte* row, int first, int index, float* destination, int columns)
    {
        switch (rows.Element)
        {
            case AttentionElement.Int8Group32:
                WidenInt8Groups(row, destination, columns);
                break;
            case AttentionElement.Int4Group32:
                WidenInt4Groups(row, destination, columns);
                break;
            default:
                StoredElements.Visit(rows.Element, new RowWidening<TVector>(row, destination, columns));
                if (rows.HasScales)
                    RowScaling<TVector>.Scale(destination, rows.Scale(index), columns);
                if (rows.Place != null && rows.Place->ColumnScales != null)
                    RowScaling<TVector>.Multiply(destination, rows.Place->ColumnScales + first, columns);
                break;
        }
    }

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

    /// <summary>x = d·q for each group: d, then 32 integers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WidenInt8Groups(byte* group, float* destination, int columns)
    {
        const int Length = AttentionInput.GroupLength;
        for (float* end = destination + columns; destination < end; destination += Length, group += sizeof(ushort) + Length)
        {
            TVector scale = TVector.Create(Half(group));
            for (int i = 0; i < Length; i += TVector.Count)
                (TVector.LoadInt8((sbyte*)group + sizeof(ushort) + i) * scale).Store(ref destination[i]);
        }
    }

    /// <summary>x = d·q + m for each group: d, m, then 16 bytes, the lower halves before the upper ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WidenInt4Groups(byte* group, float* destination, int columns)
    {
        const int Length = AttentionInput.GroupLength, Nibbles = Length / 2, Start = 2 * sizeof(ushort);
        for (float* end = destination + columns; destination < end; destination += Length, group += Start + Nibbles)
        {
            TVector scale = TVector.Create(Half(group)), min = TVector.Create(Half(group + sizeof(ushort)));
            for (int i = 0; i < Nibbles; i += TVector.Count)
            {
                TVector.MultiplyAdd(TVector.LoadLowerNibbles(group + Start + i), scale, min).Store(ref destination[i]);
                TVector.MultiplyAdd(TVector.LoadUpperNibbles(group + Start + i), scale, min).Store(ref destination[Nibbles + i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Half(byte* number)
    {
        float result = 0;
        Lanes1.LoadHalf((ushort*)number).Store(ref result);
        return result;
    }
}
