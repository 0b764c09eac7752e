using System;
using System.Diagnostics;

namespace FastAttn.Benchmarks.Report;

/// <summary>How much of the promised time is left.</summary>
internal sealed class Deadline
{
    private readonly long _start;
    private readonly TimeSpan _total;

    public Deadline(TimeSpan total)
        : this(Stopwatch.GetTimestamp(), total)
    {
    }

    private Deadline(long start, TimeSpan total)
    {
        _start = start;
        _total = total;
    }

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    public TimeSpan Remaining => _total - Elapsed;

    /// <summary>Whether something that takes so long would end too late.</summary>
    public bool IsTooCloseFor(TimeSpan duration) => duration > Remaining;

    /// <summary>An earlier one, which leaves time for what comes after.</summary>
    public Deadline Less(TimeSpan reserve) => new(_start, _total - reserve);
}
