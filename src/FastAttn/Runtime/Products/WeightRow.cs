using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// One row of A times a panel of weights that are not floats: C = I + Σ_k A[k]·W[k]. Each weight is widened in registers for its single use, while
/// the next are read. The sum has the same parts, and so the same bits, as in the register tiles of more rows.
/// </summary>
/// <typeparam name="TLanes">The vector.</typeparam>
internal static unsafe class WeightRow<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    /// <summary>Multiplies.</summary>
    /// <param name="precision">The type of the weights; not <see cref="WeightPrecision.Float32"/>.</param>
    /// <param name="areFinite">Whether it is known that none is ±∞ or NaN.</param>
    /// <param name="a">The row of A.</param>
    /// <param name="panel">The weights.</param>
    /// <param name="vectors">Vectors in a row of the panel, 1 to 3.</param>
    /// <param name="initial">I.</param>
    /// <param name="c">C, written.</param>
    /// <param name="depth">Terms.</param>
    /// <param name="sumLength">Terms that are summed without a break.</param>
    public static void Multiply(WeightPrecision precision, bool areFinite, float* a, byte* panel, int vectors, float* initial, float* c, int depth, int sumLength)
    {
        switch (precision)
        {
            case WeightPrecision.Float16 when areFinite:
                Multiply<StoredFiniteHalf>(a, panel, vectors, initial, c, depth, sumLength);
                break;
            case WeightPrecision.Float16:
                Multiply<StoredHalf>(a, panel, vectors, initial, c, depth, sumLength);
                break;
            case WeightPrecision.BFloat16:
                Multiply<StoredBFloat16>(a, panel, vectors, initial, c, depth, sumLength);
                break;
            default:
                Multiply<StoredInt8>(a, panel, vectors, initial, c, depth, sumLength);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TStored>(float* a, byte* panel, int vectors, float* initial, float* c, int depth, int sumLength)
        where TStored : struct, IStoredElement
    {
        int n = TLanes.Count, bytes = n * TStored.Bytes;
        TLanes c0 = TLanes.Load(ref initial[0]), c1 = c0, c2 = c0;
        if (vectors > 1)
            c1 = TLanes.Load(ref initial[n]);
        if (vectors > 2)
            c2 = TLanes.Load(ref initial[2 * n]);
        for (int k = 0, end; k < depth; k = end)
        {
            end = Math.Min(k + sumLength, depth);
            TLanes zero = TLanes.Create(0), s0 = zero, s1 = zero, s2 = zero;
            switch (vectors)
            {
                case 1:
                    for (float* i = a + k, last = a + end; i < last; i++, panel += bytes)
                        s0 = TLanes.MultiplyAdd(TLanes.Create(*i), TStored.Load<TLanes>(panel), s0);
                    break;
                case 2:
                    for (float* i = a + k, last = a + end; i < last; i++, panel += 2 * bytes)
                    {
                        TLanes x = TLanes.Create(*i);
                        s0 = TLanes.MultiplyAdd(x, TStored.Load<TLanes>(panel), s0);
                        s1 = TLanes.MultiplyAdd(x, TStored.Load<TLanes>(panel + bytes), s1);
                    }

                    break;
                default:
                    for (float* i = a + k, last = a + end; i < last; i++, panel += 3 * bytes)
                    {
                        TLanes x = TLanes.Create(*i);
                        s0 = TLanes.MultiplyAdd(x, TStored.Load<TLanes>(panel), s0);
                        s1 = TLanes.MultiplyAdd(x, TStored.Load<TLanes>(panel + bytes), s1);
                        s2 = TLanes.MultiplyAdd(x, TStored.Load<TLanes>(panel + 2 * bytes), s2);
                    }

                    break;
            }

            c0 += s0;
            c1 += s1;
            c2 += s2;
        }

        c0.Store(ref c[0]);
        if (vectors > 1)
            c1.Store(ref c[n]);
        if (vectors > 2)
            c2.Store(ref c[2 * n]);
    }
}
