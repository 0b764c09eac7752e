using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Measures scratch memory part by part. Each part begins on a cache line, so that no two share one.</summary>
internal struct ScratchRuler
{
    private const int LineFloats = Workspace.LineFloats;

    private long _lines;

    /// <summary>Floats of all parts so far: where the next part begins.</summary>
    public readonly long Floats => _lines * LineFloats;

    /// <summary>Floats up to the next cache line.</summary>
    public static long Aligned(long floats) => LinesOf(floats) * LineFloats;

    /// <summary>Adds a part.</summary>
    /// <param name="floats">Floats in the part.</param>
    /// <param name="isUsed">Whether the part is used; if not, it takes no space. A conditional argument instead would keep the ruler in memory, where each part waits for the one before.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ScratchPart Next(long floats, bool isUsed = true)
    {
        long line = _lines, lines = isUsed ? LinesOf(floats) : 0;
        _lines = line + lines;
        return new((uint)line);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long LinesOf(long floats) => (long)((ulong)(floats + LineFloats - 1) / LineFloats);
}
