using System;
using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks.Stored;

/// <summary>
/// Keys or values, [B, H, L, D], as a cache keeps them: each element rounded to the nearest that its type has, to the even one of two. Integers are
/// multiples of a scale of each head and channel, the same for all sequences or for 32 tokens, or of each group.
/// </summary>
internal sealed class StoredRows
{
    // An int4 is kept with this added to it, so that a nibble has no sign.
    private const int NibbleBias = 8;

    private readonly Memory<float> _floats;
    private readonly AlignedBuffer<byte>? _packed;
    private readonly int _heads;
    private readonly int _length;
    private readonly int _dim;

    /// <param name="element">What is stored.</param>
    /// <param name="numbers">The numbers. Floats are stored where these are; pinned, if they are given to a library by their address.</param>
    /// <param name="heads">H.</param>
    /// <param name="length">L.</param>
    /// <param name="dim">D, even for <see cref="StoredElement.Int4"/>, a multiple of 32 for groups and <see cref="StoredElement.Int4Channel32"/>.</param>
    public StoredRows(StoredElement element, Memory<float> numbers, int heads, int length, int dim)
    {
        (Element, _heads, _length, _dim) = (element, heads, length, dim);
        _floats = numbers;
        Count = numbers.Length;
        if (element == StoredElement.Float32)
            return;
        _packed = new(checked((int)StoredElements.BytesOf(element, Count)));
        _floats = default;
        if (element == StoredElement.Int4Channel32)
        {
            StoreSequences(numbers.Span);
            return;
        }

        Scales = MaxOver(numbers.Span, StoredElements.MaxOf(element));
        for (int row = 0; row < Count / dim; row++)
            StoreRow(row, numbers.Span.Slice(row * dim, dim));
    }

    public StoredElement Element { get; }

    /// <summary>Number of elements.</summary>
    public int Count { get; }

    /// <summary>[H, D]; empty where there are none.</summary>
    public float[] Scales { get; } = [];

    /// <summary>[B, H, ⌈L/32⌉, 2, D]: the scales, then the minima of the channels over 32 tokens; empty where there are none.</summary>
    public Half[] ScalesAndMinima { get; private set; } = [];

    /// <summary>The elements themselves; all but floats are pinned.</summary>
    public Span<byte> Elements => _packed is null ? MemoryMarshal.AsBytes(_floats.Span) : _packed.Span;

    /// <summary>The rows as FastAttn takes them.</summary>
    /// <param name="strides">Where they stand; null for the layout of the call's shape.</param>
    public AttentionInput Input(AttentionStrides? strides = null) => Element switch
    {
        StoredElement.Float32 => new(_floats.Span, strides),
        StoredElement.Float16 => new(As<Half>(), strides),
        StoredElement.BFloat16 => new(As<BFloat16>(), strides),
        StoredElement.Int8 => new(As<sbyte>(), AttentionScales.PerChannel(Scales), strides),
        StoredElement.Int8Group32 => AttentionInput.OfGroups(_packed!.Span, AttentionElement.Int8Group32, strides),
        StoredElement.Int4Group32 => AttentionInput.OfGroups(_packed!.Span, AttentionElement.Int4Group32, strides),
        StoredElement.Int4Channel32 => AttentionInput.OfInt4(_packed!.Span, AttentionScales.PerChannelOver32Tokens(ScalesAndMinima), strides),
        _ => throw new NotSupportedException($"FastAttn takes no {StoredElements.NameOf(Element)}."),
    };

    /// <summary>The numbers that the elements stand for, each the float nearest to it.</summary>
    public void Widen(Span<float> numbers)
    {
        for (int row = 0; row < Count / _dim; row++)
            WidenRow(row, numbers.Slice(row * _dim, _dim));
    }

    /// <summary>The numbers of the row of a token, rows counted over sequences and heads.</summary>
    public void WidenRow(int row, Span<float> numbers)
    {
        ReadOnlySpan<float> scales = ScalesOf(row);
        switch (Element)
        {
            case StoredElement.Float32:
                _floats.Span.Slice(row * _dim, _dim).CopyTo(numbers);
                break;
            case StoredElement.Float16:
                TensorPrimitives.ConvertToSingle(RowOf<Half>(row), numbers);
                break;
            case StoredElement.BFloat16:
                Span<BFloat16> upperHalves = RowOf<BFloat16>(row);
                for (int i = 0; i < numbers.Length; i++)
                    numbers[i] = (float)upperHalves[i];
                break;
            case StoredElement.Int8:
                Span<sbyte> integers = RowOf<sbyte>(row);
                for (int i = 0; i < numbers.Length; i++)
                    numbers[i] = integers[i] * scales[i];
                break;
            case StoredElement.Int8Group32 or StoredElement.Int4Group32:
                int bytes = (int)StoredElements.BytesOf(Element, StoredElements.GroupLength);
                for (int g = 0; g < _dim / StoredElements.GroupLength; g++)
                    WidenGroup(RowOf<byte>(row).Slice(g * bytes, bytes), numbers.Slice(g * StoredElements.GroupLength, StoredElements.GroupLength));
                break;
            case StoredElement.Int4Channel32:
                WidenOver32Tokens(row, numbers);
                break;
            default:
                Span<byte> pairs = RowOf<byte>(row);
                for (int i = 0; i < numbers.Length; i++)
                    numbers[i] = ((pairs[i / 2] >> (i % 2 * 4) & 0xF) - NibbleBias) * scales[i];
                break;
        }
    }

    private void WidenGroup(ReadOnlySpan<byte> group, Span<float> numbers)
    {
        float scale = (float)BinaryPrimitives.ReadHalfLittleEndian(group);
        if (Element == StoredElement.Int8Group32)
        {
            for (int i = 0; i < numbers.Length; i++)
                numbers[i] = scale * (sbyte)group[2 + i];
            return;
        }

        // A minimum stands behind the scale. Element i is the lower half of byte i, element i + 16 its upper half.
        float min = (float)BinaryPrimitives.ReadHalfLittleEndian(group[2..]);
        for (int i = 0; i < StoredElements.GroupLength / 2; i++)
        {
            numbers[i] = scale * (group[4 + i] & 0xF) + min;
            numbers[i + StoredElements.GroupLength / 2] = scale * (group[4 + i] >> 4) + min;
        }
    }

    private void WidenOver32Tokens(int row, Span<float> numbers)
    {
        ReadOnlySpan<Half> scales = ScalesAndMinima.AsSpan((row / _length * TokenGroups + row % _length / StoredElements.ScaledTokens) * 2 * _dim, 2 * _dim);
        Span<byte> pairs = RowOf<byte>(row);
        for (int i = 0; i < numbers.Length; i++)
        {
            int place = i % StoredElements.GroupLength, half = StoredElements.GroupLength / 2;
            numbers[i] = (float)scales[i] * (pairs[i / StoredElements.GroupLength * half + place % half] >> (place / half * 4) & 0xF) + (float)scales[_dim + i];
        }
    }

    /// <summary>Channels over 32 tokens, of the sequences of each head.</summary>
    private void StoreSequences(ReadOnlySpan<float> numbers)
    {
        int sequences = Count / (_length * _dim), scales = TokenGroups * 2 * _dim;
        ScalesAndMinima = new Half[sequences * scales];
        for (int i = 0; i < sequences; i++)
        {
            KeyValueQuantizer.QuantizePerChannelOver32Tokens(
                numbers.Slice(i * _length * _dim, _length * _dim), heads: 1, _dim, _packed!.Span.Slice(i * _length * _dim / 2, _length * _dim / 2), ScalesAndMinima.AsSpan(i * scales, scales));
        }
    }

    private void StoreRow(int row, ReadOnlySpan<float> numbers)
    {
        ReadOnlySpan<float> scales = ScalesOf(row);
        switch (Element)
        {
            case StoredElement.Float16:
                TensorPrimitives.ConvertToHalf(numbers, RowOf<Half>(row));
                break;
            case StoredElement.BFloat16:
                Span<BFloat16> upperHalves = RowOf<BFloat16>(row);
                for (int i = 0; i < numbers.Length; i++)
                    upperHalves[i] = (BFloat16)numbers[i];
                break;
            case StoredElement.Int8:
                Span<sbyte> integers = RowOf<sbyte>(row);
                for (int i = 0; i < numbers.Length; i++)
                    integers[i] = (sbyte)Rounded(numbers[i], scales[i]);
                break;
            case StoredElement.Int8Group32:
                KeyValueQuantizer.QuantizeGroups(numbers, AttentionElement.Int8Group32, RowOf<byte>(row));
                break;
            case StoredElement.Int4Group32:
                KeyValueQuantizer.QuantizeGroups(numbers, AttentionElement.Int4Group32, RowOf<byte>(row));
                break;
            default:
                // The first of two is in the lower half.
                Span<byte> pairs = RowOf<byte>(row);
                for (int i = 0; i < numbers.Length; i += 2)
                    pairs[i / 2] = (byte)(Rounded(numbers[i], scales[i]) + NibbleBias | Rounded(numbers[i + 1], scales[i + 1]) + NibbleBias << 4);
                break;
        }
    }

    private int TokenGroups => (_length + StoredElements.ScaledTokens - 1) / StoredElements.ScaledTokens;

    private static int Rounded(float number, float scale) => scale == 0 ? 0 : (int)MathF.Round(number / scale);

    /// <summary>The largest magnitude of each head and channel over that of an integer; empty where there are no integers.</summary>
    private float[] MaxOver(ReadOnlySpan<float> numbers, int max)
    {
        if (max == 0)
            return [];
        var scales = new float[_heads * _dim];
        for (int row = 0; row < numbers.Length / _dim; row++)
        {
            Span<float> ofHead = scales.AsSpan(row / _length % _heads * _dim, _dim);
            TensorPrimitives.MaxMagnitude(ofHead, numbers.Slice(row * _dim, _dim), ofHead);
        }

        TensorPrimitives.Abs<float>(scales, scales);
        TensorPrimitives.Divide(scales, max, scales);
        return scales;
    }

    private ReadOnlySpan<float> ScalesOf(int row) => Scales.Length == 0 ? default : Scales.AsSpan(row / _length % _heads * _dim, _dim);

    private Span<T> RowOf<T>(int row)
        where T : unmanaged
    {
        int bytes = (int)StoredElements.BytesOf(Element, _dim);
        return MemoryMarshal.Cast<byte, T>(_packed!.Span.Slice(row * bytes, bytes));
    }

    private ReadOnlySpan<T> As<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(_packed!.Span);
}
