using System;
using System.Diagnostics;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Threads that wait for work, one for each processor but the caller's. They start when they are needed, and end when none has been offered
/// for <see cref="IdleTime"/> or when they are asked to.
/// </summary>
/// <remarks>
/// The library has its own threads because a call is over in some hundred microseconds, in which the thread pool may not have woken its
/// thread: it had not in 4 of 10 calls that came every 2 ms, on Linux 6.18 with two processors, and these calls took twice their time. A
/// thread of the library looks for work for <see cref="SpinTime"/> before it sleeps, and takes up work at once while it looks. When it slept,
/// a call of 170 µs took 280 to 350 µs; with one thread it took 343 µs.
/// </remarks>
internal static class WorkerThreads
{
    /// <summary>How many may work at once.</summary>
    public static readonly int Max = Environment.ProcessorCount - 1;

    /// <summary>How long a thread spins before it sleeps.</summary>
    private static readonly TimeSpan SpinTime = TimeSpan.FromMilliseconds(1);

    /// <summary>How long a thread spins without a break. After that it yields the processor between checks, since the thread that it waits for may need it.</summary>
    private static readonly TimeSpan TimeAlone = TimeSpan.FromMicroseconds(20);

    private const int SpinsBetweenLooks = 10;

    /// <summary>
    /// Threads that one thread wakes at once. Each that takes a run wakes as many more if they are wanted: waking a thread takes 13 to 36 µs on a virtual machine, and a caller that
    /// woke 127 of them itself began to work after 1.6 ms. A choice, not a measurement on as many processors.
    /// </summary>
    private const int WokenAtOnce = 2;

    // The items that have runs left, in the order in which they were offered. They are linked, so that nothing is allocated.
    private static readonly Gate s_gate = new();
    private static SharedItem? s_first, s_last;
    private static int s_runsLeft, s_threads, s_looking, s_sleeping;

    // Whether threads that find no work end; until the next offer.
    private static bool s_ends;

    // Incremented after the gate is left, so that a thread that sees the change does not wait for the thread that made the offer.
    private static int s_offers;

    /// <summary>
    /// How long a thread sleeps before it ends. A start takes some 0.1 ms, which hardly one call in a thousand pays, and a process that
    /// has finished its attention keeps no such threads. Tests shorten it.
    /// </summary>
    internal static TimeSpan IdleTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Threads that have started and not ended.</summary>
    internal static int Count => Volatile.Read(ref s_threads);

    /// <summary>Spins until the condition holds or <see cref="SpinTime"/> is over; returns whether it holds.</summary>
    public static bool SpinUntil<T>(T argument, Func<T, bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition(argument))
        {
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (elapsed > SpinTime)
                return false;
            if (elapsed < TimeAlone || !Thread.Yield())
                Thread.SpinWait(SpinsBetweenLooks);
        }

        return true;
    }

    /// <summary>Offers an item to as many threads as it has runs. If this throws, no thread has seen the item.</summary>
    public static void Offer(SharedItem item, int runs)
    {
        s_gate.Enter();
        try
        {
            item.RunsLeft = runs;
            item.Previous = s_last;
            if (s_last is null)
                s_first = item;
            else
                s_last.Next = item;
            s_last = item;

            s_ends = false;
            s_runsLeft += runs;
            Wake();
            for (int i = Math.Min(s_runsLeft - s_looking - s_sleeping, Max - s_threads); i > 0 && TryStart(); i--)
            {
                s_threads++;
                s_looking++;
            }
        }
        finally
        {
            s_gate.Exit();
        }

        Interlocked.Increment(ref s_offers);
    }

    /// <summary>Withdraws an offer.</summary>
    /// <returns>The runs that no thread has begun and none will.</returns>
    public static int Withdraw(SharedItem item)
    {
        s_gate.Enter();
        try
        {
            int left = item.RunsLeft;
            if (left == 0)
                return 0;
            s_runsLeft -= left;
            item.RunsLeft = 0;
            Remove(item);
            return left;
        }
        finally
        {
            s_gate.Exit();
        }
    }

    /// <summary>Ends the threads that find no work.</summary>
    public static void End()
    {
        s_gate.Enter();
        try
        {
            s_ends = true;
            s_gate.PulseAll();
        }
        finally
        {
            s_gate.Exit();
        }
    }

    /// <summary>Starts a thread. If the system cannot start more, the callers do all the work themselves, whatever the exception is.</summary>
    private static bool TryStart()
    {
        Thread? thread = null;
        try
        {
            thread = new Thread(Work) { IsBackground = true, Name = "FastAttn" };
            return Uninterrupted.Run(thread, static thread =>
            {
                if (IsUnstarted(thread))
                    thread.UnsafeStart();
                return true;
            });
        }
        catch (Exception)
        {
            return thread is not null && !IsUnstarted(thread);
        }

        static bool IsUnstarted(Thread thread) => (thread.ThreadState & System.Threading.ThreadState.Unstarted) != 0;
    }

    private static void Work()
    {
        while (Take() is { } item)
        {
            item.Execute();
            s_gate.Enter();
            s_looking++;
            s_gate.Exit();
        }
    }

    /// <summary>The next run of the first item; waits for one. Null if the thread is to end.</summary>
    private static SharedItem? Take()
    {
        for (bool sleeps = false; ;)
        {
            int offers = Volatile.Read(ref s_offers);
            s_gate.Enter();
            try
            {
                bool ends = false;
                if (sleeps)
                {
                    s_looking--;
                    s_sleeping++;
                    ends = !s_gate.WaitUntil(0, static _ => s_first is not null || s_ends, IdleTime) || s_ends;
                    s_sleeping--;
                    s_looking++;
                }

                if (s_first is { } item)
                {
                    s_looking--;
                    s_runsLeft--;
                    if (--item.RunsLeft == 0)
                        Remove(item);
                    Wake();
                    return item;
                }

                if (ends)
                {
                    s_looking--;
                    s_threads--;
                    return null;
                }
            }
            finally
            {
                s_gate.Exit();
            }

            sleeps = !SpinUntil(offers, static seen => Volatile.Read(ref s_offers) != seen);
        }
    }

    /// <summary>Wakes some threads if runs are left for which no spinning thread is available. The gate is held.</summary>
    private static void Wake()
    {
        for (int i = Math.Min(Math.Min(s_runsLeft - s_looking, s_sleeping), WokenAtOnce); i > 0; i--)
            s_gate.Pulse();
    }

    private static void Remove(SharedItem item)
    {
        if (item.Previous is null)
            s_first = item.Next;
        else
            item.Previous.Next = item.Next;
        if (item.Next is null)
            s_last = item.Previous;
        else
            item.Next.Previous = item.Previous;
        item.Next = item.Previous = null;
    }
}
