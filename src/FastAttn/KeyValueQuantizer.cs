using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Converts floats to the element types of keys and values (<see cref="AttentionInput"/>). All rounding is to nearest, ties to even; results are the
/// same on all instruction sets.
/// </summary>
/// <remarks>
/// <para>NaN and ±∞ are kept in 16-bit types; conversions to integers refuse them before anything is written.</para>
/// <para>
/// To take ONNX Runtime's 8-bit cache (<c>GroupQueryAttention</c> with <c>k_quant_type</c> PER_CHANNEL) as it is, give its integers with
/// <see cref="AttentionScales.PerChannel"/>; ggml's <c>q8_0</c> and <c>q4_1</c> rows are <see cref="AttentionElement.Int8Group32"/> and <see cref="AttentionElement.Int4Group32"/>.
/// </para>
/// </remarks>
public static class KeyValueQuantizer
{
    /// <summary>The largest 8-bit integer: −128 is left out, so that the integers are symmetric.</summary>
    private const int MaxInteger = 127;

    /// <summary>The largest 4-bit integer.</summary>
    private const int MaxNibble = 15;

    /// <summary>Rounds to half precision. Magnitudes of 65520 and more become ±∞, since they round past the largest finite half; NaN stays NaN.</summary>
    /// <param name="source">The floats.</param>
    /// <param name="destination">Written: as many halves, or a longer buffer.</param>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public static void ConvertToHalf(ReadOnlySpan<float> source, Span<Half> destination)
    {
        CheckLength(nameof(destination), destination.Length, source.Length);
        RowRounding.ToHalf(source, destination);
    }

    /// <summary>Rounds to bfloat16. Magnitudes that round past the largest finite number become ±∞; NaN stays NaN.</summary>
    /// <param name="source">The floats.</param>
    /// <param name="destination">Written: as many numbers, or a longer buffer.</param>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public static void ConvertToBFloat16(ReadOnlySpan<float> source, Span<BFloat16> destination)
    {
        CheckLength(nameof(destination), destination.Length, source.Length);
        RowRounding.ToBFloat16(source, destination);
    }

    /// <summary>Quantizes each row to 8 bits with its own scale: <c>scale = max|x| / 127</c>, <c>q = x / scale</c>, rounded.</summary>
    /// <param name="rows">Rows of <paramref name="dim"/> floats.</param>
    /// <param name="dim">d: floats in a row.</param>
    /// <param name="elements">q, written: as many, or a longer buffer.</param>
    /// <param name="scales">Written: a scale for each row, 0 for a row of zeros.</param>
    /// <exception cref="ArgumentException">A length does not fit, or a number is not finite.</exception>
    public static void QuantizePerToken(ReadOnlySpan<float> rows, int dim, Span<sbyte> elements, Span<float> scales)
    {
        int count = CheckRows(rows, dim, nameof(dim));
        CheckLength(nameof(elements), elements.Length, rows.Length);
        CheckLength(nameof(scales), scales.Length, count);
        for (int row = 0; row < count; row++)
            scales[row] = QuantizeRow(rows.Slice(row * dim, dim), elements.Slice(row * dim, dim));
    }

    /// <summary>Finds the scales with which <see cref="QuantizePerChannel"/> clips no number of these rows: for each column <c>max|x| / 127</c>.</summary>
    /// <param name="rows">Rows, as many floats each as there are scales: [L, d] for one head, or [L, H_kv·d] for all heads at once. A cache [H_kv, L, d] needs a call for each head.</param>
    /// <param name="scales">Written: [d] or [H_kv·d]; 0 for a column of zeros.</param>
    /// <exception cref="ArgumentException">The length does not fit, or a number is not finite.</exception>
    public static void FindChannelScales(ReadOnlySpan<float> rows, Span<float> scales)
    {
        int count = CheckRows(rows, scales.Length, nameof(scales));
        scales.Clear();
        for (int row = 0; row < count; row++)
        {
            ReadOnlySpan<float> x = rows.Slice(row * scales.Length, scales.Length);
            int c = 0;
            for (; c + Vector<float>.Count <= x.Length; c += Vector<float>.Count)
                Vector.Max(new Vector<float>(scales[c..]), Vector.Abs(new Vector<float>(x[c..]))).CopyTo(scales[c..]);
            for (; c < x.Length; c++)
                scales[c] = MathF.Max(scales[c], MathF.Abs(x[c]));
        }

        foreach (ref float scale in scales)
            scale = ScaleOf(scale);
    }

    /// <summary>
    /// Quantizes rows to 8 bits with a given scale for each column: <c>q = x / scale</c>, rounded and clipped to ±127. Scales that were found from a prompt
    /// (<see cref="FindChannelScales"/>) can thus also serve the tokens that are generated after it.
    /// </summary>
    /// <param name="rows">Rows, as many floats each as there are scales, as in <see cref="FindChannelScales"/>.</param>
    /// <param name="scales">[d] or [H_kv·d], finite and not negative; a column of scale 0 becomes zeros.</param>
    /// <param name="elements">q, written: as many, or a longer buffer.</param>
    /// <exception cref="ArgumentException">A length does not fit, or a number is not finite.</exception>
    public static void QuantizePerChannel(ReadOnlySpan<float> rows, ReadOnlySpan<float> scales, Span<sbyte> elements)
    {
        int count = CheckRows(rows, scales.Length, nameof(scales));
        CheckLength(nameof(elements), elements.Length, rows.Length);
        CheckScales(scales, nameof(scales));
        int dim = scales.Length;
        for (int row = 0; row < count; row++)
            QuantizeRow(rows.Slice(row * dim, dim), scales, elements.Slice(row * dim, dim));
    }

    /// <summary>
    /// Quantizes groups of 32 numbers. <see cref="AttentionElement.Int8Group32"/>: <c>d = max|x| / 127</c>, <c>q = x / d</c>;
    /// <see cref="AttentionElement.Int4Group32"/>: <c>m = min x</c>, <c>d = (max x − m) / 15</c>, <c>q = (x − m) / d</c>, from 0 to 15. d and m are rounded to halves before q is computed,
    /// so that a few integers differ by 1 from those that ggml computes with the unrounded d. Near the smallest half, d is rounded up if otherwise the
    /// largest number would be cut off.
    /// </summary>
    /// <param name="rows">Rows whose dimension is a multiple of 32, one after the other.</param>
    /// <param name="element">Which groups.</param>
    /// <param name="groups">Written: 34 or 20 bytes for every 32 numbers, or a longer buffer.</param>
    /// <exception cref="ArgumentException">A length does not fit, a number is not finite, or a scale is larger than all finite halves.</exception>
    public static void QuantizeGroups(ReadOnlySpan<float> rows, AttentionElement element, Span<byte> groups)
    {
        const int Group = AttentionInput.GroupLength;
        if (!AttentionInput.IsInGroups(element))
            throw new ArgumentOutOfRangeException(nameof(element), element, element == AttentionElement.Int4 ? "Must be Int8Group32 or Int4Group32; Int4 is what QuantizePerChannelOver32Tokens writes." : "Must be Int8Group32 or Int4Group32: elements of other types are not in groups.");
        int count = CheckRows(rows, Group, nameof(rows)), bytes = (int)AttentionInput.BytesOf(element, Group);
        CheckLength(nameof(groups), groups.Length, (long)count * bytes);
        if (WhyGroupsRefused(rows, element) is { } reason)
            throw new ArgumentException(reason, nameof(rows));
        QuantizeRow(rows, element, groups);
    }

    /// <summary>
    /// Quantizes rows to 4 bits with a scale and a minimum for each channel of 32 consecutive tokens (<see cref="AttentionElement.Int4"/>): <c>m = min x</c>, <c>d = (max x − m) / 15</c> over
    /// these tokens, <c>n = (x − m) / d</c>, from 0 to 15. d and m are rounded to halves before n is computed, as in <see cref="QuantizeGroups"/>.
    /// </summary>
    /// <remarks>
    /// If the last group has fewer than 32 tokens, its scales are those of the tokens that it has. A cache that grows keeps the floats of that group, 31 rows at most, and for each token that it appends
    /// quantizes the group again from its floats, over the group's old elements and scales. A group that has 32 tokens never changes.
    /// </remarks>
    /// <param name="rows">
    /// Rows of consecutive tokens, the first of which begins a group: [L, H_kv, d]. A cache [H_kv, L, d] needs a call for each head, with <paramref name="heads"/> 1: otherwise consecutive rows
    /// of several heads would count as rows of more tokens.
    /// </param>
    /// <param name="heads">H_kv: heads in a token's row; 1 for rows [L, d].</param>
    /// <param name="dim">d: floats in a row of a head, a multiple of 32.</param>
    /// <param name="elements">Written: a byte for every two numbers, or a longer buffer.</param>
    /// <param name="scalesAndMinima">
    /// Written: [⌈L/32⌉, H_kv, 2, d], for 32 tokens and a head the d of all channels, then the m of all channels (<see cref="AttentionScales.PerChannelOver32Tokens"/>), or a longer buffer.
    /// </param>
    /// <exception cref="ArgumentException">A length does not fit, buffers overlap, a number is not finite, or a scale is larger than all finite halves.</exception>
    public static void QuantizePerChannelOver32Tokens(ReadOnlySpan<float> rows, int heads, int dim, Span<byte> elements, Span<Half> scalesAndMinima)
    {
        const int Tokens = AttentionInput.ScaledTokens, Group = AttentionInput.GroupLength;
        if (dim < 1 || dim % Group != 0)
            throw new ArgumentOutOfRangeException(nameof(dim), dim, $"Must be a multiple of {Group}.");
        if (heads < 1 || (long)heads * dim > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(heads), heads, "A row has at least one head, and no more than a span can hold.");
        int columns = heads * dim, count = CheckRows(rows, columns, nameof(dim)), groups = (int)((count + (Tokens - 1L)) / Tokens);
        CheckLength(nameof(elements), elements.Length, rows.Length / 2);
        CheckLength(nameof(scalesAndMinima), scalesAndMinima.Length, 2L * groups * columns);
        if (CallValidation.Overlap<float, byte>(rows, elements))
            throw new ArgumentException("Overlaps rows.", nameof(elements));
        if (CallValidation.Overlap<float, Half>(rows, scalesAndMinima) || CallValidation.Overlap<byte, Half>(elements, scalesAndMinima))
            throw new ArgumentException("Overlaps rows or elements.", nameof(scalesAndMinima));
        Span<Half> scales = stackalloc Half[Group], minima = stackalloc Half[Group];
        for (int group = 0; group < groups; group++)
        {
            for (int c = 0; c < columns; c += Group)
            {
                Int4Rounding.FindRanges(RowsOf(rows, group), c, columns, scales, minima);
                if (Int4Rounding.FindTooLarge(scales, minima) is >= 0 and int i)
                    throw new ArgumentException($"Channel {c + i} has numbers among the {Tokens} tokens from {group * Tokens} on whose scale or minimum is larger than all finite halves.", nameof(rows));
            }
        }

        for (int group = 0; group < groups; group++)
        {
            ReadOnlySpan<float> x = RowsOf(rows, group);
            for (int c = 0; c < columns; c += Group)
            {
                Span<Half> written = scalesAndMinima[(2 * (group * columns + c / dim * dim) + c % dim)..];
                scales = written[..Group];
                minima = written.Slice(dim, Group);
                Int4Rounding.FindRanges(x, c, columns, scales, minima);
                Int4Rounding.Round(x, c, columns, scales, minima, elements[(int)((long)group * Tokens * columns / 2 + c / 2)..], columns / 2);
            }
        }

        ReadOnlySpan<float> RowsOf(ReadOnlySpan<float> rows, int group)
        {
            int first = group * Tokens;
            return rows.Slice(first * columns, Math.Min(Tokens, count - first) * columns);
        }
    }

    /// <summary>Rounds a row to half precision or bfloat16.</summary>
    /// <param name="row">The floats.</param>
    /// <param name="element">Which of the two.</param>
    /// <param name="destination">Written: two bytes for each.</param>
    internal static void Round(ReadOnlySpan<float> row, AttentionElement element, Span<byte> destination) => RowRounding.Round(row, element, destination);

    /// <summary>The one place that rounds a row to the stored type of keys and values.</summary>
    /// <param name="row">The floats.</param>
    /// <param name="element">The stored type.</param>
    /// <param name="bytes">Written: the row.</param>
    /// <param name="scale">Written: the scale of an <see cref="AttentionElement.Int8"/> row that has its own; else empty.</param>
    /// <param name="channelScales">The given scales of an <see cref="AttentionElement.Int8"/> row, one for each number; else empty.</param>
    /// <returns>Why the row is refused, as <see cref="WhyRefused(ReadOnlySpan{float}, AttentionElement)"/> says; null if it is written.</returns>
    internal static string? WriteRow(ReadOnlySpan<float> row, AttentionElement element, Span<byte> bytes, Span<float> scale, ReadOnlySpan<float> channelScales)
    {
        switch (element)
        {
            case AttentionElement.Float32:
                row.CopyTo(MemoryMarshal.Cast<byte, float>(bytes));
                return null;
            case AttentionElement.Float16 or AttentionElement.BFloat16:
                Round(row, element, bytes);
                return null;
        }

        if (WhyRefused(row) is { } reason)
            return reason;
        if (element != AttentionElement.Int8)
            return QuantizeRow(row, element, bytes);
        Span<sbyte> integers = MemoryMarshal.Cast<byte, sbyte>(bytes);
        if (channelScales.IsEmpty)
            scale[0] = QuantizeRow(row, integers);
        else
            QuantizeRow(row, channelScales, integers);
        return null;
    }

    /// <summary>Why a row cannot be stored; null if it can.</summary>
    /// <param name="row">The floats.</param>
    /// <param name="element">The type to store it as.</param>
    internal static string? WhyRefused(ReadOnlySpan<float> row, AttentionElement element)
    {
        if (element is AttentionElement.Float32 or AttentionElement.Float16 or AttentionElement.BFloat16)
            return null;
        return WhyRefused(row) ?? (AttentionInput.IsInGroups(element) ? WhyGroupsRefused(row, element) : null);
    }

    /// <summary>Why numbers cannot become integers; null if all are finite.</summary>
    internal static string? WhyRefused(ReadOnlySpan<float> rows)
    {
        int i = 0;
        for (; i + Vector<float>.Count <= rows.Length && Vector.EqualsAll(new Vector<float>(rows[i..]) * Vector<float>.Zero, Vector<float>.Zero); i += Vector<float>.Count)
        {
            // ±∞ and NaN times 0 are NaN.
        }

        for (; i < rows.Length; i++)
        {
            if (!float.IsFinite(rows[i]))
                return $"Has {rows[i]}; numbers that become integers must be finite.";
        }

        return null;
    }

    /// <summary>Quantizes a row of finite numbers to 8 bits; returns its scale.</summary>
    /// <param name="row">The numbers.</param>
    /// <param name="elements">Written: as many.</param>
    internal static float QuantizeRow(ReadOnlySpan<float> row, Span<sbyte> elements)
    {
        float scale = ScaleOf(MaxAbsolute(row));
        ToIntegers(row, new(in scale), elements);
        return scale;
    }

    /// <summary>Quantizes a row of finite numbers to 8 bits with scales that have been checked.</summary>
    /// <param name="row">The numbers.</param>
    /// <param name="scales">A scale for each.</param>
    /// <param name="elements">Written: as many.</param>
    internal static void QuantizeRow(ReadOnlySpan<float> row, ReadOnlySpan<float> scales, Span<sbyte> elements) => ToIntegers(row, scales, elements);

    /// <summary>Quantizes groups of finite numbers.</summary>
    /// <param name="row">The numbers.</param>
    /// <param name="element">Which groups.</param>
    /// <param name="groups">Written: as many groups; meaningless if one is refused.</param>
    /// <returns>Why a group is refused; null if all are written.</returns>
    internal static string? QuantizeRow(ReadOnlySpan<float> row, AttentionElement element, Span<byte> groups)
    {
        if (element == AttentionElement.Int4Group32)
            return QuantizeToInt4(row, groups, isWritten: true);
        const int Group = AttentionInput.GroupLength;
        int bytes = (int)AttentionInput.BytesOf(element, Group);
        for (int i = 0; i < row.Length / Group; i++)
        {
            ReadOnlySpan<float> x = row.Slice(i * Group, Group);
            Half scale = HalfScaleOf(x);
            if (!Half.IsFinite(scale))
                return TooLarge(i);
            Span<byte> group = groups.Slice(i * bytes, bytes);
            MemoryMarshal.Write(group, scale);
            float d = (float)scale;
            ToIntegers(x, new(in d), MemoryMarshal.Cast<byte, sbyte>(group[sizeof(ushort)..]));
        }

        return null;
    }

    /// <summary>Throws if a scale per channel is not finite or is negative.</summary>
    internal static void CheckScales(ReadOnlySpan<float> scales, string name)
    {
        foreach (float scale in scales)
        {
            if (!float.IsFinite(scale) || scale < 0)
                throw new ArgumentOutOfRangeException(name, scale, "Must be finite and not negative.");
        }
    }

    /// <summary>Quantizes groups of finite numbers to 4 bits, or only checks whether it could; returns why one is refused.</summary>
    private static string? QuantizeToInt4(ReadOnlySpan<float> row, Span<byte> groups, bool isWritten)
    {
        const int Group = AttentionInput.GroupLength, Together = Int4Rounding.Columns;
        int bytes = (int)AttentionInput.BytesOf(AttentionElement.Int4Group32, Group);
        Span<Half> scales = stackalloc Half[Together], minima = stackalloc Half[Together];
        for (int first = 0, count; first < row.Length / Group; first += count)
        {
            count = Math.Min(Together, row.Length / Group - first);
            ReadOnlySpan<float> x = row.Slice(first * Group, count * Group);
            Int4Rounding.FindGroupRanges(x, scales, minima);
            if (Int4Rounding.FindTooLarge(scales[..count], minima[..count]) is >= 0 and int i)
                return TooLarge(first + i);
            if (isWritten)
                Int4Rounding.WriteGroups(x, scales, minima, groups.Slice(first * bytes, count * bytes));
        }

        return null;
    }

    /// <summary>The scale of a group of 8-bit integers.</summary>
    private static Half HalfScaleOf(ReadOnlySpan<float> x)
    {
        float absolute = MaxAbsolute(x);
        return LargeEnough((Half)ScaleOf(absolute), absolute, MaxInteger);
    }

    /// <summary>The scale and the minimum of 4-bit integers.</summary>
    internal static (Half Scale, Half Min) ScaleOf(float min, float max)
    {
        // In double: the difference of two floats may not be a finite float.
        double range = (double)max - min;
        return (LargeEnough((Half)(range / MaxNibble), range, MaxNibble), (Half)min);
    }

    private static float MaxAbsolute(ReadOnlySpan<float> x)
    {
        Vector<float> max = Vector<float>.Zero;
        int i = 0;
        for (; i + Vector<float>.Count <= x.Length; i += Vector<float>.Count)
            max = Vector.Max(max, Vector.Abs(new Vector<float>(x[i..])));
        float result = MaxOf(max);
        for (; i < x.Length; i++)
            result = MathF.Max(result, MathF.Abs(x[i]));
        return result;
    }

    /// <summary>The largest lane.</summary>
    private static float MaxOf(Vector<float> x)
    {
        // Folded to 4 lanes, however many there are.
        Vector128<float> max = x.AsVector128();
        if (Vector<float>.Count >= Vector256<float>.Count)
        {
            Vector256<float> half = x.AsVector256();
            if (Vector<float>.Count == Vector512<float>.Count)
                half = Vector256.Max(half, x.AsVector512().GetUpper());
            max = Vector128.Max(half.GetLower(), half.GetUpper());
        }

        max = Vector128.Max(max, Vector128.Shuffle(max, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(max[0], max[1]);
    }

    /// <summary>
    /// max / 127. Among subnormal floats the quotient may be rounded down so far that the largest number would be off by more than half a scale; then the scale is the
    /// next float. Near the largest float it may be rounded up so far that the largest number would become ∞; then it is the float before.
    /// </summary>
    private static float ScaleOf(float max)
    {
        float scale = max / MaxInteger;
        if (!float.IsFinite(MaxInteger * scale))
            return MathF.BitDecrement(scale);
        return max > 0 && max >= (MaxInteger + 0.5) * scale ? MathF.BitIncrement(scale) : scale;
    }

    /// <summary>
    /// A scale that was rounded to a half. Among subnormal halves it may have been rounded down too far, as in <see cref="ScaleOf(float)"/>; then the scale is the next half.
    /// </summary>
    /// <param name="rounded">The scale.</param>
    /// <param name="range">The range that it is the scale of.</param>
    /// <param name="integers">How many scales the range has.</param>
    private static Half LargeEnough(Half rounded, double range, int integers) =>
        range > 0 && range >= (integers + 0.5) * (double)rounded ? Half.BitIncrement(rounded) : rounded;

    /// <summary>q = x / scale, rounded and clipped; 0 if the scale is 0.</summary>
    /// <param name="x">The numbers.</param>
    /// <param name="scales">A scale for each, or one for all.</param>
    /// <param name="q">Written.</param>
    private static void ToIntegers(ReadOnlySpan<float> x, ReadOnlySpan<float> scales, Span<sbyte> q)
    {
        bool isOne = scales.Length == 1;
        int i = 0, step = Vector<float>.Count;
        for (; i + 4 * step <= x.Length; i += 4 * step)
        {
            Vector<int> a = Integers(x, scales, i), b = Integers(x, scales, i + step), c = Integers(x, scales, i + 2 * step), d = Integers(x, scales, i + 3 * step);
            Vector.Narrow(Vector.Narrow(a, b), Vector.Narrow(c, d)).CopyTo(q[i..]);
        }

        for (; i < x.Length; i++)
        {
            float scale = scales[isOne ? 0 : i];
            q[i] = scale == 0 ? (sbyte)0 : (sbyte)Math.Clamp(MathF.Round(x[i] / scale), -MaxInteger, MaxInteger);
        }

        // A scale of 0 is replaced by ∞, so that the quotient is 0.
        static Vector<int> Integers(ReadOnlySpan<float> x, ReadOnlySpan<float> scales, int first)
        {
            Vector<float> scale = scales.Length == 1 ? new(scales[0]) : new(scales[first..]);
            scale = Vector.ConditionalSelect(Vector.Equals(scale, Vector<float>.Zero), new Vector<float>(float.PositiveInfinity), scale);
            Vector<float> rounded = Vector.Round(new Vector<float>(x[first..]) / scale, MidpointRounding.ToEven);
            return Vector.ConvertToInt32(Vector.Min(Vector.Max(rounded, new Vector<float>(-MaxInteger)), new Vector<float>(MaxInteger)));
        }
    }

    /// <summary>q of 4-bit integers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int ToNibble(float x, float scale, float min) => scale == 0 ? 0 : (int)Math.Clamp(Math.Round(((double)x - min) / scale), 0, MaxNibble);

    /// <summary>Checks rows to be quantized; returns how many there are. <paramref name="name"/> is the parameter that <paramref name="dim"/> comes from.</summary>
    private static int CheckRows(ReadOnlySpan<float> rows, int dim, string name)
    {
        if (dim < 1)
            throw new ArgumentOutOfRangeException(name, dim, "A row has at least one number.");
        if (rows.Length % dim != 0)
            throw new ArgumentException($"Has {rows.Length} elements, which are not whole rows of {dim}.", nameof(rows));
        if (WhyRefused(rows) is { } reason)
            throw new ArgumentException(reason, nameof(rows));
        return rows.Length / dim;
    }

    /// <summary>Why one of some groups of finite numbers is refused; null if none is.</summary>
    private static string? WhyGroupsRefused(ReadOnlySpan<float> rows, AttentionElement element)
    {
        if (element == AttentionElement.Int4Group32)
            return QuantizeToInt4(rows, groups: default, isWritten: false);
        const int Group = AttentionInput.GroupLength;
        for (int i = 0; i < rows.Length / Group; i++)
        {
            if (!Half.IsFinite(HalfScaleOf(rows.Slice(i * Group, Group))))
                return TooLarge(i);
        }

        return null;
    }

    private static string TooLarge(int group) => $"Group {group} has numbers whose scale or minimum is larger than all finite halves.";

    private static void CheckLength(string name, int length, long expected)
    {
        if (length < expected)
            throw new ArgumentException($"Has {length} elements; {expected} are needed.", name);
    }
}
