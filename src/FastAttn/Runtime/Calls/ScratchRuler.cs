using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Measures scratch memory part by part. Each part begins on a cache line, so that no two share one.</summary>
internal struct ScratchRuler
{
    private const int LineFloats = Prefetcher.LineFloats;

    private long _lines;

    /// <summary>Floats of all parts so far: where the next part begins.</summary>
    public readonly long Floats => _lines * LineFloats;

    /// <summary>Floats up to the next cache line.</summary>
    public static long Aligned(long floats) => LinesOf(floats) * LineFloats;

    /// <summary>Adds a part.</summary>
    /// <param name="floats">Floats in the part; 0 for a part that is not used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ScratchPart Next(long floats)
    {
        ScratchPart part = new((uint)_lines);
        _lines += LinesOf(floats);
        return part;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long LinesOf(long floats) => (long)((ulong)(floats + LineFloats - 1) / LineFloats);
}
