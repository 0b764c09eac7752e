namespace FastAttn.Runtime;

/// <summary>Measures scratch memory part by part. Each part begins on a cache line, so that no two share one.</summary>
internal struct ScratchRuler
{
    private const int LineFloats = Prefetcher.LineFloats;

    /// <summary>Floats of all parts so far: where the next part begins.</summary>
    public long Floats { get; private set; }

    /// <summary>Floats up to the next cache line.</summary>
    public static long Aligned(long floats) => (floats + LineFloats - 1) & ~(LineFloats - 1L);

    /// <summary>Adds a part; returns where it begins.</summary>
    /// <param name="floats">Floats in the part; 0 for a part that is not used.</param>
    public long Next(long floats)
    {
        long start = Floats;
        Floats += Aligned(floats);
        return start;
    }
}
