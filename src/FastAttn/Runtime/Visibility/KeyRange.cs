using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Each query sees keys [start, limit). This holds the smallest and the largest of both over the queries of a tile.</summary>
/// <param name="MinStart">The smallest start of those that see any key.</param>
/// <param name="MaxStart">The largest start.</param>
/// <param name="MinLimit">The smallest limit.</param>
/// <param name="MaxLimit">The largest limit.</param>
internal readonly record struct KeyRange(int MinStart, int MaxStart, int MinLimit, int MaxLimit)
{
    /// <summary>The range of no queries.</summary>
    public static KeyRange None => new(int.MaxValue, 0, int.MaxValue, 0);

    /// <summary>Includes a query, which sees no key if <paramref name="start"/> is <paramref name="limit"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KeyRange With(int start, int limit) => new(
        start < limit ? Math.Min(MinStart, start) : MinStart,
        Math.Max(MaxStart, start),
        Math.Min(MinLimit, limit),
        start < limit ? Math.Max(MaxLimit, limit) : MaxLimit);

    /// <summary>Whether some query does not see all of these keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Hides(int first, int count) => MinLimit < (long)first + count || MaxStart > first;

    /// <summary>Moves the ends of a range inwards over the elements of a row that equal the hiding one.</summary>
    public static unsafe void Narrow<T>(T* row, T hidden, ref int start, ref int limit)
        where T : unmanaged, IEquatable<T>
    {
        ReadOnlySpan<T> elements = new(row + start, limit - start);
        limit = start + elements.LastIndexOfAnyExcept(hidden) + 1;
        if (start < limit)
            start += elements.IndexOfAnyExcept(hidden);
    }
}
