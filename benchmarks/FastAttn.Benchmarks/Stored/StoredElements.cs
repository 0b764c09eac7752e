namespace FastAttn.Benchmarks.Stored;

/// <summary>What is known of an element without a number of it.</summary>
internal static class StoredElements
{
    public static int BitsOf(StoredElement element) => element switch
    {
        StoredElement.Float32 => 32,
        StoredElement.Float16 or StoredElement.BFloat16 => 16,
        StoredElement.Int8 => 8,
        _ => 4,
    };

    /// <summary>The largest magnitude of an integer; 0 for floating-point numbers, which have no scales.</summary>
    public static int MaxOf(StoredElement element) => element switch
    {
        StoredElement.Int8 => 127,
        StoredElement.Int4 => 7,
        _ => 0,
    };

    /// <summary>Its name in tables, as in <c>float16</c>.</summary>
    public static string NameOf(StoredElement element) => element.ToString().ToLowerInvariant();

    /// <summary>Whether FastAttn takes keys and values of it.</summary>
    public static bool IsTaken(StoredElement element) => MaxOf(element) == 0;
}
