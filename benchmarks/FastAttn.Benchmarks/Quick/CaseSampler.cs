using System;
using System.Collections.Generic;
using System.Diagnostics;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Warms and times one case.</summary>
/// <typeparam name="TCase">What names the case; it is only carried along.</typeparam>
/// <param name="case">The case.</param>
/// <param name="call">Calls it once.</param>
/// <param name="threads">Threads that work in a call.</param>
internal sealed class CaseSampler<TCase>(TCase @case, Action call, int threads)
{
    // Long enough for 30 calls of every method, whereupon the JIT replaces its code.
    private static readonly TimeSpan WarmTime = TimeSpan.FromMilliseconds(20);

    // A sample is at least this long, for the clock and the odd interrupt.
    private static readonly TimeSpan SampleTime = TimeSpan.FromMilliseconds(12);

    // Linux may wake a thread on the processor of whoever wakes it, though another is idle, and corrects that within 10 ms (measured).
    private static readonly TimeSpan PlacementTime = TimeSpan.FromMilliseconds(12);

    // A longer call averages over its own noise: such cases take part in every second round.
    private static readonly TimeSpan LongCall = TimeSpan.FromMilliseconds(50);

    private readonly List<double> _milliseconds = [];
    private TimeSpan _callTime;
    private int _repetitions = 1;

    public TCase Case { get; } = @case;

    /// <summary>Milliseconds a call, one a round.</summary>
    public IReadOnlyList<double> Milliseconds => _milliseconds;

    /// <summary>Bytes that the timed calls allocated on this thread: none, or the figures are not the kernel's.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>The same for one call, to the byte.</summary>
    public long AllocatedBytesPerCall => _milliseconds.Count == 0 ? 0 : AllocatedBytes / ((long)_milliseconds.Count * _repetitions);

    /// <summary>Calls once or for a while, and chooses the repetitions of a sample by the fastest of these calls.</summary>
    public void Warm()
    {
        _callTime = TimeSpan.MaxValue;
        long start = Stopwatch.GetTimestamp();
        do
        {
            TimeSpan time = Time(1);
            if (time < _callTime)
                _callTime = time;
        }
        while (Stopwatch.GetElapsedTime(start) < WarmTime);
        _repetitions = Math.Max(1, (int)Math.Ceiling(SampleTime / _callTime));
    }

    /// <summary>Whether a call averages over its own noise.</summary>
    public bool IsLong => _callTime >= LongCall;

    public bool TakesPartIn(int round) => !IsLong || round % 2 == 0;

    /// <summary>Adds one sample.</summary>
    public void Sample()
    {
        // The other cases have been through the caches since; a short call would see that, many calls in a row do not.
        if (!IsLong)
            CallFor(threads > 1 ? PlacementTime : TimeSpan.Zero);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan elapsed = Time(_repetitions);
        AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - allocated;
        _milliseconds.Add(elapsed.TotalMilliseconds / _repetitions);
    }

    /// <summary>Calls once at least.</summary>
    private void CallFor(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        do
        {
            call();
        }
        while (Stopwatch.GetElapsedTime(start) < time);
    }

    private TimeSpan Time(int repetitions)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repetitions; i++)
            call();
        return Stopwatch.GetElapsedTime(start);
    }
}
