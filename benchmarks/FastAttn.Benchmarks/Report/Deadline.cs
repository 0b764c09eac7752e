using System;
using System.Diagnostics;

namespace FastAttn.Benchmarks.Report;

/// <summary>How much of the promised time is left.</summary>
internal sealed class Deadline(TimeSpan total)
{
    private readonly long _start = Stopwatch.GetTimestamp();

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    /// <summary>Whether something that takes so long would end too late.</summary>
    public bool IsTooCloseFor(TimeSpan duration) => Elapsed + duration > total;
}
