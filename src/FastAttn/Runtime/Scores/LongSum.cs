using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Sums over many keys. Rounding errors grow with the number of terms, most if these have one sign, so the terms of a part are added to
/// each other before they are added to the sum so far, and the rounding errors of these additions are kept and added last.
/// </summary>
/// <remarks>
/// With queries in lanes, the register tiles sum up key blocks, key blocks add up to parts of the keys, and parts are added here. With the
/// head dimension in lanes, parts of a block add up to a block, and blocks are added here.
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class LongSum<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>
    /// Keys of a block whose weights, and products with values, are summed before they are added to those of the block, if the head
    /// dimension is in lanes. Parts of 128 take 4% more time if a group of heads, or several queries, share the keys; these take 1% (Zen 4).
    /// </summary>
    public const int KeysPerBlockPart = 384;

    /// <summary>total = factor·total + term, and rest = factor·rest + the rounding error of that sum (Knuth's two-sum). The product with the factor is rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref float total, TVector factor, ref float rest, TVector term)
    {
        TVector before = TVector.Load(ref total) * factor, sum = before + term, added = sum - before;
        TVector.MultiplyAdd(TVector.Load(ref rest), factor, before - (sum - added) + (term - added)).Store(ref rest);
        sum.Store(ref total);
    }

    /// <summary>total + rest; the total alone if that is ±∞, whose rest is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector WithRest(ref float total, ref float rest)
    {
        TVector sum = TVector.Load(ref total), whole = sum + TVector.Load(ref rest);
        return TVector.SelectGreaterOrEqual(whole, whole, whole, sum);
    }

    /// <summary>As <see cref="Add"/> for each float of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddRow(float* total, float factor, float* rest, float* term, int count)
    {
        int whole = count / TVector.Count * TVector.Count;
        for (int i = 0; i < whole; i += TVector.Count)
            Add(ref total[i], TVector.Create(factor), ref rest[i], TVector.Load(ref term[i]));
        for (int i = whole; i < count; i++)
            LongSum<Lanes1>.Add(ref total[i], Lanes1.Create(factor), ref rest[i], Lanes1.Load(ref term[i]));
    }

    /// <summary>As <see cref="WithRest"/> for each float of a row, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddRest(float* total, float* rest, int count)
    {
        int whole = count / TVector.Count * TVector.Count;
        for (int i = 0; i < whole; i += TVector.Count)
            WithRest(ref total[i], ref rest[i]).Store(ref total[i]);
        for (int i = whole; i < count; i++)
            LongSum<Lanes1>.WithRest(ref total[i], ref rest[i]).Store(ref total[i]);
    }

    /// <summary>sum[i] += part[i]; part[i] = 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MovePart(float* part, float* sum, int count)
    {
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
        {
            (TVector.Load(ref sum[i]) + TVector.Load(ref part[i])).Store(ref sum[i]);
            TVector.Create(0).Store(ref part[i]);
        }

        for (; i < count; i++)
        {
            sum[i] += part[i];
            part[i] = 0;
        }
    }

    /// <summary>sum[i] = 0. For a kilobyte the runtime's own method calls the system, which costs a short call a few per cent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Clear(float* sum, int count)
    {
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            TVector.Create(0).Store(ref sum[i]);
        for (; i < count; i++)
            sum[i] = 0;
    }
}
