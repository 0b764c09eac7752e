using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Widens a block of a packed panel to floats, with which the register tiles multiply: weights of any type cost one pass over a block in the
/// core's caches, and need no tiles of their own.
/// </summary>
/// <typeparam name="TLanes">The vector.</typeparam>
internal static unsafe class WeightWidening<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    /// <summary>
    /// Widens weights. They are read in order from one end to the other, which the CPU foresees. What it does not foresee is that
    /// nothing is read while the tiles compute afterwards: so lines of the next block are prefetched as well.
    /// </summary>
    /// <param name="precision">Their type; not <see cref="WeightPrecision.Float32"/>.</param>
    /// <param name="areFinite">Whether it is known that none is ±∞ or NaN.</param>
    /// <param name="source">Weights, as many as <paramref name="count"/>.</param>
    /// <param name="destination">Written: as many floats.</param>
    /// <param name="count">A multiple of <see cref="ILanes{TSelf}.Count"/>.</param>
    /// <param name="next">Memory that is prefetched meanwhile.</param>
    /// <param name="nextBytes">How much, at most as much as is read; 0 for none.</param>
    public static void Widen(WeightPrecision precision, bool areFinite, byte* source, float* destination, long count, byte* next, long nextBytes)
    {
        switch (precision)
        {
            case WeightPrecision.Float16 when areFinite:
                Widen<StoredFiniteHalf>(source, destination, count, next, nextBytes);
                break;
            case WeightPrecision.Float16:
                Widen<StoredHalf>(source, destination, count, next, nextBytes);
                break;
            case WeightPrecision.BFloat16:
                Widen<StoredBFloat16>(source, destination, count, next, nextBytes);
                break;
            default:
                Widen<StoredInt8>(source, destination, count, next, nextBytes);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<TStored>(byte* source, float* destination, long count, byte* next, long nextBytes)
        where TStored : struct, IStoredElement
    {
        // Four vectors per pass, whose bytes are one cache line, or two with the widest vectors, and less with others: then a line is prefetched again, which
        // costs one instruction.
        const int Vectors = 4, LineBytes = Prefetcher.LineFloats * sizeof(float);
        int bytes = TLanes.Count * TStored.Bytes;
        float* end = destination + count, lastPass = end - Vectors * TLanes.Count;
        for (byte* nextEnd = next + nextBytes; destination <= lastPass; next += Vectors * bytes)
        {
            if (next < nextEnd)
            {
                Prefetcher.AskForLine(ref *(float*)next);
                if (Vectors * bytes > LineBytes)
                    Prefetcher.AskForLine(ref *(float*)(next + LineBytes));
            }

            TStored.Load<TLanes>(source).Store(ref *destination);
            TStored.Load<TLanes>(source + bytes).Store(ref destination[TLanes.Count]);
            TStored.Load<TLanes>(source + 2 * bytes).Store(ref destination[2 * TLanes.Count]);
            TStored.Load<TLanes>(source + 3 * bytes).Store(ref destination[3 * TLanes.Count]);
            source += Vectors * bytes;
            destination += Vectors * TLanes.Count;
        }

        for (; destination < end; destination += TLanes.Count, source += bytes)
            TStored.Load<TLanes>(source).Store(ref *destination);
    }
}
