using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Rows of keys or values that register tiles prefetch while they use others. Each tile prefetches its part: if the first prefetched all, memory would be idle during the rest.
/// </summary>
/// <param name="distance">How many bytes after a row the prefetched row is; 0 for none.</param>
/// <param name="first">The tile's first query.</param>
/// <param name="count">Its queries.</param>
/// <param name="all">The queries of all tiles.</param>
internal readonly struct RowsAhead(nint distance, int first, int count, int all)
{
    /// <summary>How many bytes after a row the prefetched row is; 0 for none.</summary>
    public nint Distance
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => distance;
    }

    /// <summary>The part of some rows, or of some columns, that the tile prefetches.</summary>
    /// <param name="length">How many there are.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (int First, int Limit) PartOf(int length) => count == all ? (0, length) : (first * length / all, (first + count) * length / all);
}
