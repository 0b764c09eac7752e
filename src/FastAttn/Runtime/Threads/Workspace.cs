using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Scratch memory of one worker, aligned to a cache line. What is given back is kept for later calls up to <see cref="MaxKeptBytes"/> in
/// all, and returned to the system when it has not been used for a while (<see cref="Period"/>).
/// </summary>
[SuppressMessage("Usage", "MA0055:Do not use finalizer", Justification = "Memory that is lost is freed late rather than never; whoever has it does not have to dispose of it.")]
[SuppressMessage("Usage", "CA1816:Dispose methods should call SuppressFinalize", Justification = "As above: what is dropped has no memory to free.")]
internal sealed unsafe class Workspace
{
    /// <summary>Floats of a cache line.</summary>
    public const int LineFloats = Alignment / sizeof(float);

    private const int Alignment = 64;
    private static readonly IdleSlots<Workspace> s_idle = new();

    // The workspace of work that needs no scratch memory.
    private static readonly Workspace s_none = new();
    private static long s_keptBytes;

    // Periods that have begun, and whether the timer will begin the next: it runs only while something is kept.
    private static int s_period;
    private static int s_isTiming;

    private nuint _capacity;
    private int _lastUsed;

    private Workspace()
    {
    }

    /// <summary>Frees the memory of a workspace that was never given back, as when a thread was aborted or the library was unloaded.</summary>
    ~Workspace() => Free();

    /// <summary>
    /// What has been kept for a whole period is freed, so that memory is released between one and two periods after its last use. A choice, not a
    /// measurement: a call that needs memory again pays for its pages, some 0.25 µs each. Tests shorten it.
    /// </summary>
    internal static TimeSpan Period { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The most bytes that are kept: initially 256 MiB, the projections of 32,000 tokens of 512 floats or of 4,000 of 4096, or 4 MiB per
    /// processor, twice what attention needs at d up to 128. A choice, not a measurement.
    /// </summary>
    internal static long MaxKeptBytes { get; set; } = Math.Max(256, 4 * Environment.ProcessorCount) * (1L << 20);

    /// <summary>The bytes that are kept now.</summary>
    internal static long KeptBytes => Interlocked.Read(ref s_keptBytes);

    /// <summary>The memory; it holds as many floats as were requested, not cleared.</summary>
    public float* Memory { get; private set; }

    private long Bytes => (long)(_capacity * sizeof(float));

    /// <summary>Takes the smallest idle workspace that is large enough, else the largest, or makes one.</summary>
    /// <param name="floats">Floats needed.</param>
    /// <exception cref="OutOfMemoryException">The system does not have that much memory.</exception>
    public static Workspace Rent(long floats)
    {
        if (floats == 0)
            return s_none;
        Workspace workspace = TakeBest((nuint)floats) ?? new();
        workspace.Reserve((nuint)floats);
        return workspace;
    }

    /// <summary>Frees what is kept.</summary>
    public static void FreeIdle()
    {
        FreeUnusedSince(int.MaxValue);

        // A waiting timer would keep the library loaded. It ends its period now, finds nothing left and is not started again.
        if (Volatile.Read(ref s_isTiming) != 0)
            StartTimer(TimeSpan.Zero);
    }

    /// <summary>Gives it back. Nothing here can be interrupted.</summary>
    public void Return()
    {
        if (this == s_none)
            return;
        _lastUsed = Volatile.Read(ref s_period);
        if (Interlocked.Add(ref s_keptBytes, Bytes) > MaxKeptBytes)
        {
            // The object is kept without its memory, so that the next call allocates nothing on the managed heap.
            Interlocked.Add(ref s_keptBytes, -Bytes);
            Free();
        }

        if (!s_idle.TryKeep(this))
        {
            Interlocked.Add(ref s_keptBytes, -Bytes);
            Free();
            GC.SuppressFinalize(this);
        }
        else if (KeptBytes > 0)
        {
            Time();
        }
    }

    private static Workspace? TakeBest(nuint floats)
    {
        while (true)
        {
            int best = -1;
            Workspace? workspace = null;
            for (int slot = 0; slot < s_idle.Count; slot++)
            {
                if (s_idle.Peek(slot) is { } idle && (workspace is null || IsBetter(idle._capacity, workspace._capacity, floats)))
                    (best, workspace) = (slot, idle);
            }

            if (workspace is null || TryTake(best, workspace))
                return workspace;
        }
    }

    private static bool TryTake(int slot, Workspace workspace)
    {
        if (!s_idle.TryTake(slot, workspace))
            return false;
        Interlocked.Add(ref s_keptBytes, -workspace.Bytes);
        return true;
    }

    private static bool IsBetter(nuint capacity, nuint other, nuint floats) =>
        capacity >= floats ? other < floats || capacity < other : capacity > other;

    /// <summary>Frees what was last used before a period; returns whether anything is left.</summary>
    private static bool FreeUnusedSince(int period)
    {
        bool isSomeLeft = false;
        for (int slot = 0; slot < s_idle.Count; slot++)
        {
            if (s_idle.Peek(slot) is not { } workspace || workspace._capacity == 0)
                continue;
            if (workspace._lastUsed < period && TryTake(slot, workspace))
            {
                workspace.Free();
                if (!s_idle.TryKeep(workspace))
                    GC.SuppressFinalize(workspace);
            }
            else
            {
                isSomeLeft = true;
            }
        }

        return isSomeLeft;
    }

    /// <summary>Starts the timer of the next period.</summary>
    private static void Time()
    {
        if (Volatile.Read(ref s_isTiming) == 0 && Interlocked.Exchange(ref s_isTiming, 1) == 0)
            StartTimer(Period);
    }

    private static void StartTimer(TimeSpan dueTime) => Uninterrupted.Run(dueTime, static due => PeriodTimer.Instance.Change(due, Timeout.InfiniteTimeSpan));

    /// <summary>Frees what was not used in this period, and everything if the collector finds the machine short of memory.</summary>
    internal static void EndPeriod()
    {
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        bool isShort = memory.MemoryLoadBytes > memory.HighMemoryLoadThresholdBytes;
        bool isSomeLeft = FreeUnusedSince(isShort ? int.MaxValue : Volatile.Read(ref s_period));
        Interlocked.Increment(ref s_period);

        // A thread that gives memory back after this line sees that no timer runs, and starts it. What was given back before is seen below.
        Interlocked.Exchange(ref s_isTiming, 0);
        if (isSomeLeft || KeptBytes > 0)
            Time();
    }

    private void Reserve(nuint floats)
    {
        if (floats <= _capacity)
            return;
        Free();
        Memory = (float*)NativeMemory.AlignedAlloc(checked(floats * sizeof(float)), Alignment);
        _capacity = floats;
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Memory);
        Memory = null;
        _capacity = 0;
    }

    /// <summary>Made when something is first kept. It does not capture that caller's execution context.</summary>
    private static class PeriodTimer
    {
        public static readonly Timer Instance = Create();

        private static Timer Create()
        {
            using AsyncFlowControl? flow = ExecutionContext.IsFlowSuppressed() ? null : ExecutionContext.SuppressFlow();
            return new(static _ => EndPeriod(), null, Timeout.Infinite, Timeout.Infinite);
        }
    }
}
