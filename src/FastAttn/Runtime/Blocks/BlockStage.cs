using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Copies of blocks of keys and values, where they cannot be read as they lie.</summary>
internal static unsafe class BlockStage
{
    /// <summary>
    /// Copies a block whose rows are apart, short or too few: rows of the source far apart compete for the same cache
    /// sets (4096 bytes apart they cost 25%). Columns past the source's are 0, rows past its last repeat it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float* Copy(float* source, long sourceStride, int sourceColumns, int sourceRows, float* destination, int columns, int rows)
    {
        for (int j = 0; j < rows; j++)
        {
            Span<float> row = new(destination + (long)j * columns, columns);
            new ReadOnlySpan<float>(source + Math.Min(j, sourceRows - 1) * sourceStride, sourceColumns).CopyTo(row);
            row[sourceColumns..].Clear();
        }

        return destination;
    }

    /// <summary>Replaces NaN and ±∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ZeroNonFinite(Span<float> block)
    {
        foreach (ref float element in block)
        {
            if (!float.IsFinite(element))
                element = 0;
        }
    }
}
