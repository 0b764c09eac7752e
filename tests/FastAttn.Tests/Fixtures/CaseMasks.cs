namespace FastAttn.Tests.Fixtures;

/// <summary>Masks of cases as the library takes them.</summary>
internal static class CaseMasks
{
    /// <summary>Elements in an item of an array: 8 bits in a byte, else 1.</summary>
    public static int ElementsOfItem<T>() => typeof(T) == typeof(byte) ? 8 : 1;

    public static AdditiveMask Given(CaseMask<float>? mask) =>
        mask is null ? default : mask.Sizes is { } sizes ? new(mask.Elements, sizes, mask.Strides) : new(mask.Elements);

    public static BooleanMask Given(CaseMask<bool>? mask) =>
        mask is null ? default : mask.Sizes is { } sizes ? new(mask.Elements, sizes, mask.Strides) : new(mask.Elements);

    public static BitMask Given(CaseMask<byte>? mask) =>
        mask is null ? default : mask.Sizes is { } sizes ? new(mask.Elements, sizes, mask.Strides) : new(mask.Elements);
}
