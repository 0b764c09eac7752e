using System;

namespace FastAttn.Benchmarks.Stored;

/// <summary>What is known of an element without a number of it.</summary>
internal static class StoredElements
{
    /// <summary>Elements of a group that has its own scale.</summary>
    public const int GroupLength = 32;

    /// <summary>Tokens that a scale and a minimum of a channel are of.</summary>
    public const int ScaledTokens = 32;

    /// <summary>Bits of an element itself, without a scale.</summary>
    public static int BitsOf(StoredElement element) => element switch
    {
        StoredElement.Float32 => 32,
        StoredElement.Float16 or StoredElement.BFloat16 => 16,
        StoredElement.Int8 or StoredElement.Int8Group32 => 8,
        _ => 4,
    };

    /// <summary>Bytes of so many elements; scales are counted where they stand among them.</summary>
    public static long BytesOf(StoredElement element, long count) => count * BitsOf(element) / 8 + count / GroupLength * ScaleBytesOf(element);

    /// <summary>The largest magnitude of an integer with a scale of its head and channel; 0 for others.</summary>
    public static int MaxOf(StoredElement element) => element switch
    {
        StoredElement.Int8 => 127,
        StoredElement.Int4 => 7,
        _ => 0,
    };

    /// <summary>Its name in tables, one word, as in <c>float16</c>.</summary>
    public static string NameOf(StoredElement element) =>
        element.ToString().Replace("Group", "-group", StringComparison.Ordinal).Replace("Channel", "-channel", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>What values are stored as beside keys of an element.</summary>
    public static StoredElement ValueOf(StoredElement key) => key == StoredElement.Int4Channel32 ? StoredElement.Int4Group32 : key;

    /// <summary>Bytes of the scales of keys or values that stand apart from them.</summary>
    public static long BytesOfScales(StoredElement element, int batch, int heads, int length, int dim) => element switch
    {
        StoredElement.Int8 or StoredElement.Int4 => (long)heads * dim * sizeof(float),
        StoredElement.Int4Channel32 => (long)batch * heads * ((length + ScaledTokens - 1) / ScaledTokens) * dim * 4,
        _ => 0,
    };

    /// <summary>Whether FastAttn takes keys and values of it.</summary>
    public static bool IsTaken(StoredElement element) => element != StoredElement.Int4;

    /// <summary>What another library has instead, in as many bits; the element itself where that is the same.</summary>
    public static StoredElement CounterpartOf(StoredElement element) => element switch
    {
        StoredElement.Int8Group32 => StoredElement.Int8,
        StoredElement.Int4Group32 => StoredElement.Int4,
        _ => element,
    };

    private static int ScaleBytesOf(StoredElement element) => element switch
    {
        StoredElement.Int8Group32 => 2,
        StoredElement.Int4Group32 => 4,
        _ => 0,
    };
}
