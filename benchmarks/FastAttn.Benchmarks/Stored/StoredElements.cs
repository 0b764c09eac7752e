using System;

namespace FastAttn.Benchmarks.Stored;

/// <summary>What is known of an element without a number of it.</summary>
internal static class StoredElements
{
    /// <summary>Elements of a group that has its own scale.</summary>
    public const int GroupLength = 32;

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
    public static string NameOf(StoredElement element) => element.ToString().Replace("Group", "-group", StringComparison.Ordinal).ToLowerInvariant();

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
