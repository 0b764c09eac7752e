using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>A mask as its caller gives it, of any element type.</summary>
internal readonly ref struct MaskTensor
{
    /// <summary>Its first byte; a null reference if there is none.</summary>
    private readonly ref readonly byte _start;

    private MaskTensor(ref readonly byte start, int length, int bytesPerItem, MaskElement element, AttentionMaskSizes? sizes, AttentionMaskStrides? strides)
    {
        _start = ref start;
        Length = length;
        BytesPerItem = bytesPerItem;
        Element = element;
        Sizes = sizes;
        Strides = strides;
        IsGiven = true;
    }

    /// <summary>All kinds of elements.</summary>
    public static ReadOnlySpan<MaskElement> Elements => [MaskElement.Float, MaskElement.Byte, MaskElement.Bit];

    /// <summary>Whether there is a mask.</summary>
    public bool IsGiven { get; }

    /// <summary>Its first byte, to be pinned.</summary>
    public ref readonly byte Start => ref _start;

    /// <summary>The length of the caller's span.</summary>
    public int Length { get; }

    /// <summary>Bytes in an element of that span.</summary>
    public int BytesPerItem { get; }

    /// <summary>Its element type.</summary>
    public MaskElement Element { get; }

    /// <summary>Its sizes; null if they follow from the shape.</summary>
    public AttentionMaskSizes? Sizes { get; }

    /// <summary>Its strides; null if it is contiguous.</summary>
    public AttentionMaskStrides? Strides { get; }

    /// <summary>The feature of masks of these elements.</summary>
    public static AttentionFeatures FeatureOf(MaskElement element) => (AttentionFeatures)((int)AttentionFeatures.AdditiveMask << (int)element);

    /// <summary>A mask of floats.</summary>
    public static MaskTensor Of(ReadOnlySpan<float> elements, AttentionMaskSizes? sizes, AttentionMaskStrides? strides) =>
        new(in Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, sizeof(float), MaskElement.Float, sizes, strides);

    /// <summary>A mask of booleans.</summary>
    public static MaskTensor Of(ReadOnlySpan<bool> elements, AttentionMaskSizes? sizes, AttentionMaskStrides? strides) =>
        new(in Unsafe.As<bool, byte>(ref MemoryMarshal.GetReference(elements)), elements.Length, sizeof(bool), MaskElement.Byte, sizes, strides);

    /// <summary>A mask of bytes.</summary>
    public static MaskTensor Of(ReadOnlySpan<byte> elements, AttentionMaskSizes? sizes, AttentionMaskStrides? strides) =>
        new(in MemoryMarshal.GetReference(elements), elements.Length, sizeof(byte), MaskElement.Byte, sizes, strides);

    /// <summary>A mask of bits.</summary>
    public static MaskTensor OfBits(ReadOnlySpan<byte> elements, AttentionMaskSizes? sizes, AttentionMaskStrides? strides) =>
        new(in MemoryMarshal.GetReference(elements), elements.Length, sizeof(byte), MaskElement.Bit, sizes, strides);

    /// <summary>What is added to the score of an element, whose index counts elements: 0 or −∞ if the mask only shows or hides.</summary>
    public float this[long element] => Element switch
    {
        MaskElement.Float => Unsafe.ReadUnaligned<float>(in At(element * sizeof(float))),
        MaskElement.Byte => At(element) != 0 ? 0 : float.NegativeInfinity,
        _ => (At(element >> 3) >> (int)(element & 7) & 1) != 0 ? 0 : float.NegativeInfinity,
    };

    /// <summary>A byte of the caller's span.</summary>
    private ref readonly byte At(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)offset, (ulong)Length * (ulong)BytesPerItem, nameof(offset));
        return ref Unsafe.Add(ref Unsafe.AsRef(in _start), (nint)offset);
    }
}
