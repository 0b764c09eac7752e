using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Rounds numbers to 4-bit integers with a scale and a minimum, <c>x = d·n + m</c>, either for each column of up to 32 rows (<see cref="AttentionElement.Int4"/>) or for each group of 32 numbers of a
/// row (<see cref="AttentionElement.Int4Group32"/>).
/// </summary>
/// <remarks>
/// The smallest and the largest number of a column bound its range. Narrower ranges with smaller squared errors were tried: the errors of outputs were 0.95 times those with whole
/// ranges over normal keys, but 1.24 times over keys with large channels, whose extremes decide which keys are attended to.
/// <para>
/// The results are those of <see cref="KeyValueQuantizer.ScaleOf(float, float)"/> and <see cref="KeyValueQuantizer.ToNibble"/>, which compute in double. Vectors of floats give the same bits in a
/// seventh of the time: their errors are bounded, and where a tie is within the bound these two decide.
/// </para>
/// </remarks>
internal static class Int4Rounding
{
    /// <summary>Columns that are rounded at once, and numbers in a group.</summary>
    public const int Columns = AttentionInput.GroupLength;

    /// <summary>The largest integer.</summary>
    public const int MaxInteger = 15;

    // Bytes of a row's columns, or of a group: a byte holds one number of the lower half and one of the upper half.
    private const int Bytes = Columns / 2;

    /// <summary>Finds the scales and minima of columns, whose ranges go from the smallest to the largest number.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="first">The first of the columns.</param>
    /// <param name="rowLength">Numbers in a row.</param>
    /// <param name="scales">Written: d of each of the columns.</param>
    /// <param name="minima">Written: m of each.</param>
    public static void FindRanges(ReadOnlySpan<float> rows, int first, int rowLength, Span<Half> scales, Span<Half> minima)
    {
        Span<float> min = stackalloc float[Columns], max = stackalloc float[Columns];
        for (int c = 0; c < Columns; c += 2 * Vector<float>.Count)
            FindRange(rows[(first + c)..], rowLength, min[c..], max[c..]);
        FindScales(min, max, scales, minima);
    }

    /// <summary>The first of the columns whose scale or minimum is larger than all finite halves; −1 where all are finite.</summary>
    public static int FindTooLarge(ReadOnlySpan<Half> scales, ReadOnlySpan<Half> minima)
    {
        for (int i = 0; i < scales.Length; i++)
        {
            if (!Half.IsFinite(scales[i]) || !Half.IsFinite(minima[i]))
                return i;
        }

        return -1;
    }

    /// <summary>Computes n of 32 columns: 16 bytes of each row (<see cref="AttentionElement.Int4"/>).</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="first">The first of the columns.</param>
    /// <param name="rowLength">Numbers in a row.</param>
    /// <param name="scales">d of each column, finite.</param>
    /// <param name="minima">m of each column, finite.</param>
    /// <param name="elements">Written: n of the columns, beginning with those of the first row.</param>
    /// <param name="rowBytes">Bytes from row to row there.</param>
    public static void Round(ReadOnlySpan<float> rows, int first, int rowLength, ReadOnlySpan<Half> scales, ReadOnlySpan<Half> minima, Span<byte> elements, int rowBytes)
    {
        Span<float> d = stackalloc float[Columns], m = stackalloc float[Columns], factors = stackalloc float[Columns];
        FindFactors(scales, minima, d, m, factors);
        for (int row = 0, to = 0; row < rows.Length; row += rowLength, to += rowBytes)
            RoundRow(rows.Slice(row + first, Columns), d, m, factors, elements.Slice(to, Bytes));
    }

    /// <summary>Finds the scales and minima of groups, whose ranges go from the smallest to the largest number.</summary>
    /// <param name="groups">Groups of 32 numbers, up to 32.</param>
    /// <param name="scales">Written: d of each of the groups; there is room for 32.</param>
    /// <param name="minima">Written: m of each, likewise.</param>
    public static void FindGroupRanges(ReadOnlySpan<float> groups, Span<Half> scales, Span<Half> minima)
    {
        Span<float> min = stackalloc float[Columns], max = stackalloc float[Columns];
        int count = groups.Length / Columns, lanes = LanesOf(count);
        min[..lanes].Clear();
        max[..lanes].Clear();
        for (int i = 0; i < count; i++)
            (min[i], max[i]) = RangeOf(groups.Slice(i * Columns, Columns));
        FindScales(min[..lanes], max[..lanes], scales, minima);
    }

    /// <summary>Writes groups: d, m and n of each (<see cref="AttentionElement.Int4Group32"/>).</summary>
    /// <param name="groups">Groups of 32 numbers, up to 32.</param>
    /// <param name="scales">d of each group, finite; there are 32 or fewer.</param>
    /// <param name="minima">m of each group, likewise.</param>
    /// <param name="bytes">Written: 20 bytes of each group.</param>
    public static void WriteGroups(ReadOnlySpan<float> groups, ReadOnlySpan<Half> scales, ReadOnlySpan<Half> minima, Span<byte> bytes)
    {
        const int HalfBytes = sizeof(ushort), Group = 2 * HalfBytes + Bytes;
        Span<float> d = stackalloc float[Columns], m = stackalloc float[Columns], factors = stackalloc float[Columns];
        Span<float> scale = stackalloc float[Columns], min = stackalloc float[Columns], factor = stackalloc float[Columns];
        int count = groups.Length / Columns;
        FindFactors(scales, minima, d[..LanesOf(count)], m, factors);
        for (int i = 0; i < count; i++)
        {
            Span<byte> group = bytes.Slice(i * Group, Group);
            MemoryMarshal.Write(group, scales[i]);
            MemoryMarshal.Write(group[HalfBytes..], minima[i]);
            scale.Fill(d[i]);
            min.Fill(m[i]);
            factor.Fill(factors[i]);
            RoundRow(groups.Slice(i * Columns, Columns), scale, min, factor, group[(2 * HalfBytes)..]);
        }
    }

    /// <summary>The smallest and the largest number of a group. −0 counts as less than 0.</summary>
    /// <param name="group">32 numbers.</param>
    private static (float Least, float Largest) RangeOf(ReadOnlySpan<float> group)
    {
        Vector128<float> min = Vector128.Create(group), max = min;
        Vector128<int> signs = min.AsInt32();
        for (int i = Vector128<float>.Count; i < Columns; i += Vector128<float>.Count)
        {
            Vector128<float> x = Vector128.Create(group[i..]);
            (min, max, signs) = (Vector128.MinNative(min, x), Vector128.MaxNative(max, x), signs | x.AsInt32());
        }

        Vector128<int> halves = Vector128.Create(2, 3, 0, 1), pairs = Vector128.Create(1, 0, 3, 2);
        (min, max) = (Vector128.MinNative(min, Vector128.Shuffle(min, halves)), Vector128.MaxNative(max, Vector128.Shuffle(max, halves)));
        (min, max) = (Vector128.MinNative(min, Vector128.Shuffle(min, pairs)), Vector128.MaxNative(max, Vector128.Shuffle(max, pairs)));

        // As in FindRange: which of two zeros is the smaller depends on the CPU.
        float least = min.ToScalar();
        return (least != 0 ? least : signs.ExtractMostSignificantBits() != 0 ? -0f : 0, max.ToScalar());
    }

    /// <summary>The number of lanes for a number of groups: those of whole vectors of halves.</summary>
    private static int LanesOf(int groups) => (groups + Vector<ushort>.Count - 1) / Vector<ushort>.Count * Vector<ushort>.Count;

    /// <summary>Finds the scales and minima of ranges.</summary>
    /// <param name="min">The smallest number of each range: as many as whole vectors of halves have.</param>
    /// <param name="max">The largest number of each.</param>
    /// <param name="scales">Written: d of each.</param>
    /// <param name="minima">Written: m of each.</param>
    private static void FindScales(ReadOnlySpan<float> min, ReadOnlySpan<float> max, Span<Half> scales, Span<Half> minima)
    {
        // Range, 1/15, their product and what is rounded each have a relative error of at most 2⁻²⁴.
        const float Error = 1f / (1 << 21), Reciprocal = 1f / MaxInteger;

        // For a smaller range the scale is a subnormal half, which may be rounded up.
        var leastNormal = new Vector<float>(16f / (1 << 14));
        Span<float> least = stackalloc float[Columns], largest = stackalloc float[Columns];
        least = least[..min.Length];
        largest = largest[..min.Length];
        for (int c = 0; c < min.Length; c += Vector<float>.Count)
        {
            Vector<float> range = new Vector<float>(max[c..]) - new Vector<float>(min[c..]), scale = range * Reciprocal;
            Vector<int> isSubnormal = Vector.GreaterThan(range, Vector<float>.Zero) & Vector.LessThan(range, leastNormal);
            Vector.ConditionalSelect(isSubnormal, new Vector<float>(-1), scale * (1 - Error)).CopyTo(least[c..]);
            (scale * (1 + Error)).CopyTo(largest[c..]);
        }

        // If the smallest and the largest possible scale round to the same half, that is the scale.
        Span<Half> other = stackalloc Half[Columns];
        RowRounding.ToHalf(min, minima);
        RowRounding.ToHalf(least, scales);
        RowRounding.ToHalf(largest, other);
        ReadOnlySpan<ushort> scaleBits = MemoryMarshal.Cast<Half, ushort>(scales[..min.Length]), otherBits = MemoryMarshal.Cast<Half, ushort>(other);
        for (int c = 0; (c += scaleBits[c..].CommonPrefixLength(otherBits[c..])) < min.Length; c++)
            scales[c] = KeyValueQuantizer.ScaleOf(min[c], max[c]).Scale;
    }

    /// <summary>Widens scales and minima.</summary>
    /// <param name="scales">d, finite.</param>
    /// <param name="minima">m, finite.</param>
    /// <param name="d">Written: as many as whole vectors of halves have.</param>
    /// <param name="m">Written, likewise.</param>
    /// <param name="factors">Written: 1/d; 0 where d is 0, as n then is.</param>
    private static void FindFactors(ReadOnlySpan<Half> scales, ReadOnlySpan<Half> minima, Span<float> d, Span<float> m, Span<float> factors)
    {
        ToFloats(scales, d);
        ToFloats(minima, m[..d.Length]);
        for (int c = 0; c < d.Length; c += Vector<float>.Count)
        {
            var scale = new Vector<float>(d[c..]);
            Vector.ConditionalSelect(Vector.Equals(scale, Vector<float>.Zero), scale, Vector<float>.One / scale).CopyTo(factors[c..]);
        }
    }

    /// <summary>Computes n of 32 numbers.</summary>
    /// <param name="x">The numbers.</param>
    /// <param name="scales">d of each.</param>
    /// <param name="minima">m of each.</param>
    /// <param name="factors">1/d of each; 0 where d is 0.</param>
    /// <param name="bytes">Written: 16 bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RoundRow(ReadOnlySpan<float> x, ReadOnlySpan<float> scales, ReadOnlySpan<float> minima, ReadOnlySpan<float> factors, Span<byte> bytes)
    {
        // (x − m)·(1/d) has a relative error of at most 3·2⁻²⁴, and ties below 15 an error below this.
        const float NearTie = 0.5f - 1f / (1 << 17);
        Pack(x, minima, factors, out Vector<float> distance).CopyTo(bytes);
        if (!Vector.GreaterThanAny(distance, new Vector<float>(NearTie)))
            return;
        for (int i = 0, j = Bytes; i < Bytes; i++, j++)
            bytes[i] = (byte)(KeyValueQuantizer.ToNibble(x[i], scales[i], minima[i]) | KeyValueQuantizer.ToNibble(x[j], scales[j], minima[j]) << 4);
    }

    /// <summary>Rounds the numbers of a row as far as float precision decides.</summary>
    /// <param name="x">The numbers.</param>
    /// <param name="minima">m of each.</param>
    /// <param name="factors">1/d of each.</param>
    /// <param name="distance">The largest distances of quotients from their n, in any order.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Pack(ReadOnlySpan<float> x, ReadOnlySpan<float> minima, ReadOnlySpan<float> factors, out Vector<float> distance)
    {
        // A vector has 4, 8 or 16 of the 16 pairs; only the first 16 bytes of the packed vector are needed.
        int n = Vector<float>.Count;
        distance = Vector<float>.Zero;
        Vector<uint> a = Pairs(x, minima, factors, 0, ref distance), b = n == Bytes ? a : Pairs(x, minima, factors, n, ref distance);
        Vector<ushort> ab = Vector.Narrow(a, b);
        Vector<ushort> cd = 2 * n >= Bytes ? ab : Vector.Narrow(Pairs(x, minima, factors, 2 * n, ref distance), Pairs(x, minima, factors, 3 * n, ref distance));
        return Vector.Narrow(ab, cd).AsVector128();
    }

    /// <summary>Two numbers in the lowest byte of each lane; the bits above it are undefined.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Pairs(ReadOnlySpan<float> x, ReadOnlySpan<float> minima, ReadOnlySpan<float> factors, int c, ref Vector<float> distance) =>
        Integers(x, minima, factors, c, ref distance) + (Integers(x, minima, factors, c + Bytes, ref distance) << 4);

    /// <summary>n in the lowest 4 bits of each lane; the bits above them are undefined.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Integers(ReadOnlySpan<float> x, ReadOnlySpan<float> minima, ReadOnlySpan<float> factors, int c, ref Vector<float> distance)
    {
        // The sum with 2²³ has no place for fractions: it is rounded to nearest, ties to even, and its last bits are the integer's.
        var shift = new Vector<float>(1 << 23);
        Vector<float> quotient = (new Vector<float>(x[c..]) - new Vector<float>(minima[c..])) * new Vector<float>(factors[c..]);
        quotient = Vector.MinNative(Vector.MaxNative(quotient, Vector<float>.Zero), new Vector<float>(MaxInteger));
        Vector<float> shifted = quotient + shift;
        distance = Vector.MaxNative(distance, Vector.Abs(quotient - (shifted - shift)));
        return Vector.AsVectorUInt32(shifted);
    }

    /// <summary>Converts finite halves to floats, as many as the destination holds.</summary>
    private static void ToFloats(ReadOnlySpan<Half> halves, Span<float> floats)
    {
        const float TwoTo112 = 5.192296858534828e33f;
        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<Half, ushort>(halves);
        for (int c = 0; c < floats.Length; c += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(bits[c..]), out Vector<uint> lower, out Vector<uint> upper);
            Widened(lower).CopyTo(floats[c..]);
            Widened(upper).CopyTo(floats[(c + Vector<float>.Count)..]);
        }

        // A half's exponent and fraction are those of a float that is 2¹¹² times smaller.
        static Vector<float> Widened(Vector<uint> half) =>
            Vector.AsVectorSingle((half & new Vector<uint>(0x8000)) << 16 | Vector.AsVectorUInt32(Vector.AsVectorSingle((half & new Vector<uint>(0x7FFF)) << 13) * TwoTo112));
    }

    /// <summary>The smallest and the largest numbers of as many columns as two vectors have. −0 counts as less than 0, whichever comes first.</summary>
    private static void FindRange(ReadOnlySpan<float> rows, int rowLength, Span<float> least, Span<float> largest)
    {
        // Which of two zeros the CPU's minimum instructions return depends on the CPU. A minimum of 0 becomes −0 if any sign is set. Two vectors are a cache line: if rows are a
        // multiple of 4 KiB apart, the line is evicted from the L1 cache before the next vectors are read.
        int n = Vector<float>.Count;
        Vector<float> min0 = new(rows), min1 = new(rows[n..]), max0 = min0, max1 = min1;
        Vector<int> signs0 = Vector.AsVectorInt32(min0), signs1 = Vector.AsVectorInt32(min1);
        for (int row = rowLength; row < rows.Length; row += rowLength)
        {
            ReadOnlySpan<float> numbers = rows.Slice(row, 2 * n);
            Vector<float> x0 = new(numbers), x1 = new(numbers[n..]);
            (min0, min1) = (Vector.MinNative(min0, x0), Vector.MinNative(min1, x1));
            (max0, max1) = (Vector.MaxNative(max0, x0), Vector.MaxNative(max1, x1));
            signs0 |= Vector.AsVectorInt32(x0);
            signs1 |= Vector.AsVectorInt32(x1);
        }

        WithZero(min0, signs0).CopyTo(least);
        WithZero(min1, signs1).CopyTo(least[n..]);
        max0.CopyTo(largest);
        max1.CopyTo(largest[n..]);

        static Vector<float> WithZero(Vector<float> min, Vector<int> signs) =>
            Vector.ConditionalSelect(Vector.Equals(min, Vector<float>.Zero), Vector.AsVectorSingle(signs & new Vector<int>(int.MinValue)), min);
    }
}
