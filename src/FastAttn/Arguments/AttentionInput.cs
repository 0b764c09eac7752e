using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// Queries, keys or values, and where their rows are. Arrays and spans convert to it. Keys and values may be kept in 16, 8 or 4 bits per element, queries in 16, each
/// in its own type: they are widened to float32 where they are read. They take that much less memory and, where memory is the bottleneck, less time. All arithmetic is float32.
/// </summary>
/// <remarks>
/// Buffers may be longer than needed, as pooled arrays are. <see cref="KeyValueQuantizer"/> converts floats to the smaller types.
/// </remarks>
public readonly ref struct AttentionInput
{
    /// <summary>Elements in a group.</summary>
    internal const int GroupLength = 32;

    /// <summary>Tokens that share a scale and a minimum per channel.</summary>
    internal const int ScaledTokens = 32;

    private const int Int8GroupBytes = sizeof(ushort) + GroupLength, Int4GroupBytes = 2 * sizeof(ushort) + GroupLength / 2;

    private readonly ref readonly byte _start;

    /// <summary>Floats.</summary>
    /// <param name="elements">The floats.</param>
    /// <param name="strides">The strides of the rows; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<float> elements, AttentionStrides? strides = null)
        : this(ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.Float32, strides)
    {
    }

    /// <summary>Half-precision queries, keys or values.</summary>
    /// <param name="elements">The numbers.</param>
    /// <param name="strides">The strides of the rows, in elements; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<Half> elements, AttentionStrides? strides = null)
        : this(ref Unsafe.As<Half, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.Float16, strides)
    {
    }

    /// <summary>Bfloat16 queries, keys or values.</summary>
    /// <param name="elements">The numbers.</param>
    /// <param name="strides">The strides of the rows, in elements; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<BFloat16> elements, AttentionStrides? strides = null)
        : this(ref Unsafe.As<BFloat16, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.BFloat16, strides)
    {
    }

    /// <summary>8-bit keys or values with scales.</summary>
    /// <param name="elements">The integers q of <c>x = scale·q</c>.</param>
    /// <param name="scales">The scales.</param>
    /// <param name="strides">The strides of the rows, in elements; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<sbyte> elements, AttentionScales scales, AttentionStrides? strides = null)
        : this(ref Unsafe.As<sbyte, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.Int8, strides) => Scales = scales;

    private AttentionInput(ref readonly byte start, int length, AttentionElement element, AttentionStrides? strides)
    {
        _start = ref start;
        Length = length;
        Element = element;
        Strides = strides;
    }

    /// <summary>Elements in the buffer.</summary>
    public int Length { get; }

    /// <summary>What they are.</summary>
    public AttentionElement Element { get; }

    /// <summary>The strides of the rows; null for the shape's <see cref="AttentionShape.Layout"/>.</summary>
    public AttentionStrides? Strides { get; }

    /// <summary>The scales of <see cref="AttentionElement.Int8"/> and <see cref="AttentionElement.Int4"/>.</summary>
    public AttentionScales Scales { get; private init; }

    /// <summary>The first byte; null without elements.</summary>
    internal ref readonly byte Start => ref _start;

    /// <summary>Keys or values in groups of 32 elements, each group with its own scale.</summary>
    /// <param name="groups">The groups: a row of dimension d, a multiple of 32, is d / 32 of them. What follows the last whole group is left alone.</param>
    /// <param name="element"><see cref="AttentionElement.Int8Group32"/> or <see cref="AttentionElement.Int4Group32"/>.</param>
    /// <param name="strides">
    /// The strides of the rows, in elements rather than bytes, and multiples of 32: a stride of n bytes, as ggml's <c>nb</c> gives it, is n / 34 · 32 elements of
    /// <see cref="AttentionElement.Int8Group32"/> and n / 20 · 32 of <see cref="AttentionElement.Int4Group32"/>. Null for the order of the shape's <see cref="AttentionShape.Layout"/>.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The elements are not in groups.</exception>
    public static AttentionInput OfGroups(ReadOnlySpan<byte> groups, AttentionElement element, AttentionStrides? strides = null)
    {
        if (!IsInGroups(element))
            throw new ArgumentOutOfRangeException(nameof(element), element, element == AttentionElement.Int4 ? "Must be Int8Group32 or Int4Group32; OfInt4 takes Int4." : "Must be Int8Group32 or Int4Group32: elements of other types are not in groups.");
        return new(ref MemoryMarshal.GetReference(groups), (int)Math.Min(groups.Length / BytesOf(element, GroupLength) * GroupLength, int.MaxValue), element, strides);
    }

    /// <summary>4-bit keys or values with scales and minima that are stored separately.</summary>
    /// <param name="elements">
    /// The integers n of <c>x = d·n + m</c>, as <see cref="AttentionElement.Int4"/> says: a row of dimension d, a multiple of 32, is d / 2 bytes.
    /// </param>
    /// <param name="scales">The scales and minima: <see cref="AttentionScales.PerChannelOver32Tokens"/>.</param>
    /// <param name="strides">
    /// The strides of the rows, in elements rather than bytes, and multiples of 32: a stride of n bytes is 2·n elements. Null for the order of the shape's <see cref="AttentionShape.Layout"/>.
    /// </param>
    public static AttentionInput OfInt4(ReadOnlySpan<byte> elements, AttentionScales scales, AttentionStrides? strides = null) =>
        new(ref MemoryMarshal.GetReference(elements), (int)Math.Min(2L * elements.Length, int.MaxValue), AttentionElement.Int4, strides) { Scales = scales };

    /// <summary>Whether elements are in groups of <see cref="GroupLength"/> with their own scales.</summary>
    internal static bool IsInGroups(AttentionElement element) => element is AttentionElement.Int8Group32 or AttentionElement.Int4Group32;

    /// <summary>Whether <see cref="GroupLength"/> elements of a row share bytes, so that they are read as a whole.</summary>
    internal static bool AreReadTogether(AttentionElement element) => element == AttentionElement.Int4 || IsInGroups(element);

    /// <summary>Whether elements have scales that are stored separately.</summary>
    internal static bool HasScales(AttentionElement element) => element is AttentionElement.Int8 or AttentionElement.Int4;

    /// <summary>Bytes of a number of elements, in whole groups.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long BytesOf(AttentionElement element, long count) => element == AttentionElement.Float32 ? sizeof(float) * count : BytesOfStored(element, count);

    private static long BytesOfStored(AttentionElement element, long count) => element switch
    {
        AttentionElement.Int8 => count,
        AttentionElement.Int4 => count / 2,
        AttentionElement.Int8Group32 => count / GroupLength * Int8GroupBytes,
        AttentionElement.Int4Group32 => count / GroupLength * Int4GroupBytes,
        _ => sizeof(ushort) * count,
    };

    /// <summary>Floats in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(float[]? elements) => new((ReadOnlySpan<float>)elements);

    /// <summary>Floats in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<float> elements) => new(elements);

    /// <summary>Floats in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(Span<float> elements) => new((ReadOnlySpan<float>)elements);

    /// <summary>Half-precision queries, keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(Half[]? elements) => new((ReadOnlySpan<Half>)elements);

    /// <summary>Half-precision queries, keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<Half> elements) => new(elements);

    /// <summary>Half-precision queries, keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(Span<Half> elements) => new((ReadOnlySpan<Half>)elements);

    /// <summary>Bfloat16 queries, keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(BFloat16[]? elements) => new((ReadOnlySpan<BFloat16>)elements);

    /// <summary>Bfloat16 queries, keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<BFloat16> elements) => new(elements);

    /// <summary>Bfloat16 queries, keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(Span<BFloat16> elements) => new((ReadOnlySpan<BFloat16>)elements);

    /// <summary>The same elements with other strides.</summary>
    internal AttentionInput At(scoped in AttentionStrides strides) => new(in _start, Length, Element, strides);

    /// <summary>The floats of a buffer of floats.</summary>
    internal ReadOnlySpan<float> Floats() =>
        Element == AttentionElement.Float32 ? MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<byte, float>(ref Unsafe.AsRef(in _start)), Length) : throw new InvalidOperationException("These are no floats.");

    /// <summary>Some elements as floats, without separately stored scales: those of the buffer itself if it holds floats.</summary>
    /// <param name="first">The first of them; the beginning of a group.</param>
    /// <param name="scratch">Memory for as many floats as are read.</param>
    internal ReadOnlySpan<float> Row(long first, Span<float> scratch)
    {
        if (Element == AttentionElement.Float32)
            return Floats().Slice((int)first, scratch.Length);
        ReadOnlySpan<byte> bytes = MemoryMarshal.CreateReadOnlySpan(in Unsafe.Add(ref Unsafe.AsRef(in _start), (nint)BytesOf(Element, first)), (int)BytesOf(Element, scratch.Length));
        for (int i = 0; i < scratch.Length; i++)
            scratch[i] = At(bytes, i);
        return scratch;
    }

    /// <summary>One element of a row, as its type says it.</summary>
    private float At(ReadOnlySpan<byte> row, int index)
    {
        int place = index % GroupLength;
        ReadOnlySpan<byte> group = row[(int)BytesOf(Element, index - place)..];
        switch (Element)
        {
            case AttentionElement.Float16:
                return (float)MemoryMarshal.Cast<byte, Half>(row)[index];
            case AttentionElement.BFloat16:
                return (float)MemoryMarshal.Cast<byte, BFloat16>(row)[index];
            case AttentionElement.Int8:
                return (sbyte)row[index];
            case AttentionElement.Int8Group32:
                return (float)MemoryMarshal.Read<Half>(group) * (sbyte)group[sizeof(ushort) + place];
            case AttentionElement.Int4:
                return Nibble(group, place);
            default:
                return (float)MemoryMarshal.Read<Half>(group) * Nibble(group[(2 * sizeof(ushort))..], place) + (float)MemoryMarshal.Read<Half>(group[sizeof(ushort)..]);
        }
    }

    /// <summary>4 bits of 16 bytes.</summary>
    private static int Nibble(ReadOnlySpan<byte> bytes, int place)
    {
        const int Bits = 4, Mask = 15;
        byte pair = bytes[place % (GroupLength / 2)];
        return place < GroupLength / 2 ? pair & Mask : pair >> Bits;
    }
}
