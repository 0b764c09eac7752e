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
                if (rows.Scales != null)
                    RowScaling<TVector>.Scale(destination, rows.Scale(index), columns);
                if (rows.ColumnScales != null)
                    RowScaling<TVector>.Multiply(destination, rows.ColumnScales + first, columns);
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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenInt8Groups(byte* group, float* destination, int columns)
    {
        for (int c = 0; c < columns; c += AttentionInput.GroupLength)
        {
            TVector scale = TVector.Create(Half(group));
            group += sizeof(ushort);
            for (int i = 0; i < AttentionInput.GroupLength; i += TVector.Count)
                (TVector.LoadInt8((sbyte*)group + i) * scale).Store(ref destination[c + i]);
            group += AttentionInput.GroupLength;
        }
    }

    /// <summary>x = d·q + m for each group: d, m, then 16 bytes, the lower halves before the upper ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenInt4Groups(byte* group, float* destination, int columns)
    {
        const int Bytes = AttentionInput.GroupLength / 2;
        for (int c = 0; c < columns; c += AttentionInput.GroupLength)
        {
            TVector scale = TVector.Create(Half(group)), min = TVector.Create(Half(group + sizeof(ushort)));
            group += 2 * sizeof(ushort);
            for (int i = 0; i < Bytes; i += TVector.Count)
            {
                TVector.MultiplyAdd(TVector.LoadLowerNibbles(group + i), scale, min).Store(ref destination[c + i]);
                TVector.MultiplyAdd(TVector.LoadUpperNibbles(group + i), scale, min).Store(ref destination[c + Bytes + i]);
            }

            group += Bytes;
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
