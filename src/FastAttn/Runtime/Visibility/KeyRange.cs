using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Each query sees keys [start, limit). This holds the least and the greatest of both over the queries of a tile.</summary>
/// <param name="FirstStart">The least start of those that see any key.</param>
/// <param name="LastStart">The greatest start.</param>
/// <param name="FirstLimit">The least limit.</param>
/// <param name="LastLimit">The greatest limit.</param>
internal readonly record struct KeyRange(int FirstStart, int LastStart, int FirstLimit, int LastLimit)
{
    /// <summary>No query yet.</summary>
    public static KeyRange None => new(int.MaxValue, 0, int.MaxValue, 0);

    /// <summary>With a query that sees no key where <paramref name="start"/> is <paramref name="limit"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KeyRange With(int start, int limit) => new(
        start < limit ? Math.Min(FirstStart, start) : FirstStart,
        Math.Max(LastStart, start),
        Math.Min(FirstLimit, limit),
        start < limit ? Math.Max(LastLimit, limit) : LastLimit);

    /// <summary>Whether some query does not see all of these keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Hides(int first, int count) => FirstLimit < (long)first + count || LastStart > first;
}
