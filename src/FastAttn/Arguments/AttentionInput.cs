using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// Queries, keys or values, and where their rows stand. Arrays and spans convert to it. Keys and values may be kept in 16 bits an element, each of them
/// in its own type: they are widened to float32 where they are read, exactly, and take half the memory and, where memory is what a call waits for,
/// half the time. Queries are floats.
/// </summary>
/// <remarks>
/// Buffers may be longer than needed, as pooled arrays are. To widen halves takes more instructions than to widen bfloat16 numbers: where some queries, 5 to half a vector's
/// lanes, share keys and values of <see cref="Half"/>, a call takes up to 1.5 times as long as with floats (Zen 4); with one query it takes 0.6 times as long, and with many as long.
/// </remarks>
public readonly ref struct AttentionInput
{
    private readonly ref readonly byte _start;

    /// <summary>Floats.</summary>
    /// <param name="elements">The floats.</param>
    /// <param name="strides">Where rows stand; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<float> elements, AttentionStrides? strides = null)
        : this(ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.Float32, strides)
    {
    }

    /// <summary>Half-precision keys or values.</summary>
    /// <param name="elements">The numbers.</param>
    /// <param name="strides">Where rows stand, in elements; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<Half> elements, AttentionStrides? strides = null)
        : this(ref Unsafe.As<Half, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.Float16, strides)
    {
    }

    /// <summary>Bfloat16 keys or values.</summary>
    /// <param name="elements">The numbers.</param>
    /// <param name="strides">Where rows stand, in elements; null for the order of the shape's <see cref="AttentionShape.Layout"/>.</param>
    public AttentionInput(ReadOnlySpan<BFloat16> elements, AttentionStrides? strides = null)
        : this(ref Unsafe.As<BFloat16, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, AttentionElement.BFloat16, strides)
    {
    }

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

    /// <summary>Where rows stand; null for the shape's <see cref="AttentionShape.Layout"/>.</summary>
    public AttentionStrides? Strides { get; }

    /// <summary>The first byte; null without elements.</summary>
    internal ref readonly byte Start => ref _start;

    /// <summary>Bytes of an element.</summary>
    internal int ElementBytes => BytesOf(Element);

    /// <summary>Bytes of an element of a type.</summary>
    internal static int BytesOf(AttentionElement element) => element == AttentionElement.Float32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Floats in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(float[]? elements) => new((ReadOnlySpan<float>)elements);

    /// <summary>Floats in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<float> elements) => new(elements);

    /// <summary>Floats in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(Span<float> elements) => new((ReadOnlySpan<float>)elements);

    /// <summary>Half-precision keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(Half[]? elements) => new((ReadOnlySpan<Half>)elements);

    /// <summary>Half-precision keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<Half> elements) => new(elements);

    /// <summary>Half-precision keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(Span<Half> elements) => new((ReadOnlySpan<Half>)elements);

    /// <summary>Bfloat16 keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(BFloat16[]? elements) => new((ReadOnlySpan<BFloat16>)elements);

    /// <summary>Bfloat16 keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<BFloat16> elements) => new(elements);

    /// <summary>Bfloat16 keys or values in the order of the shape's layout.</summary>
    /// <param name="elements">The numbers.</param>
    public static implicit operator AttentionInput(Span<BFloat16> elements) => new((ReadOnlySpan<BFloat16>)elements);

    /// <summary>The floats of a buffer of floats.</summary>
    internal ReadOnlySpan<float> Floats() =>
        Element == AttentionElement.Float32 ? MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<byte, float>(ref Unsafe.AsRef(in _start)), Length) : throw new InvalidOperationException("These are no floats.");

    /// <summary>Some elements as floats: those of the buffer itself where it holds floats.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="scratch">Memory for as many floats as are read.</param>
    internal ReadOnlySpan<float> Row(long first, Span<float> scratch)
    {
        if (Element == AttentionElement.Float32)
            return Floats().Slice((int)first, scratch.Length);
        ref ushort row = ref Unsafe.Add(ref Unsafe.As<byte, ushort>(ref Unsafe.AsRef(in _start)), (nint)first);
        for (int i = 0; i < scratch.Length; i++)
        {
            ushort bits = Unsafe.Add(ref row, i);
            scratch[i] = Element == AttentionElement.Float16 ? (float)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16);
        }

        return scratch;
    }
}
