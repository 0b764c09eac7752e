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
    // The JIT replaces the code of a method after 30 calls. A warm-up of this length calls every method as often.
    private static readonly TimeSpan WarmTime = TimeSpan.FromMilliseconds(20);

    // A sample is at least this long, so that the clock's resolution and an interrupt change little.
    private static readonly TimeSpan SampleTime = TimeSpan.FromMilliseconds(12);

    // Linux may wake a thread on the processor of the thread that wakes it, though another is idle. It corrects that within 10 ms (measured).
    private static readonly TimeSpan PlacementTime = TimeSpan.FromMilliseconds(12);

    // A longer call averages over its own noise, so that such cases take part in every second round only.
    private static readonly TimeSpan LongCall = TimeSpan.FromMilliseconds(50);

    private readonly List<double> _milliseconds = [];
    private TimeSpan _callTime;
    private int _repetitions = 1;

    public TCase Case { get; } = @case;

    /// <summary>The milliseconds of a call, one number for each round.</summary>
    public IReadOnlyList<double> Milliseconds => _milliseconds;

    /// <summary>Bytes that the timed calls allocated on this thread. Where there are any, the times are not those of the kernel alone.</summary>
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
        // The other cases have filled the caches since the last sample. A short call is repeated first, as a program with many such calls would have it.
        if (!IsLong)
            CallFor(threads > 1 ? PlacementTime : TimeSpan.Zero);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan elapsed = Time(_repetitions);
        AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - allocated;
        _milliseconds.Add(elapsed.TotalMilliseconds / _repetitions);
    }

    /// <summary>Calls repeatedly for a while, and at least once.</summary>
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
