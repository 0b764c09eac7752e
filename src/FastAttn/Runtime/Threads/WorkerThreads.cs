using System;
using System.Diagnostics;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Threads that wait for work, one for each processor but the caller's. They start when they are needed, and end when none was offered
/// for <see cref="IdleTime"/> or when they are asked to.
/// </summary>
/// <remarks>
/// They are not the thread pool's: a call is over in some hundred microseconds, in which the pool may not have woken its thread
/// (4 of 10 times where work comes every 2 ms, on Linux 6.18 with two processors, so that calls took twice their time). These
/// look for work for <see cref="SpinTime"/> before they sleep. While they look they take it up at once; where
/// the other thread slept, a call of 170 µs took 280 to 350, and 343 with one thread.
/// </remarks>
internal static class WorkerThreads
{
    /// <summary>How many may work at once.</summary>
    public static readonly int Max = Environment.ProcessorCount - 1;

    /// <summary>How long a thread looks for what it waits for before it sleeps.</summary>
    private static readonly TimeSpan SpinTime = TimeSpan.FromMilliseconds(1);

    /// <summary>How long it does so without a break. Then it lets others have the processor between looks: what it waits for may need it.</summary>
    private static readonly TimeSpan TimeAlone = TimeSpan.FromMicroseconds(20);

    private const int SpinsBetweenLooks = 10;

    // The items that have runs left, first come first served: linked, so that nothing is allocated.
    private static readonly Gate s_gate = new();
    private static SharedItem? s_first, s_last;
    private static int s_runsLeft, s_threads, s_looking, s_sleeping;

    // Whether threads that find no work end; until the next offer.
    private static bool s_ends;

    // Incremented after the gate is left, so that a thread that looks and sees it does not wait for the one that made the offer.
    private static int s_offers;

    /// <summary>
    /// How long a thread sleeps before it ends. A start takes some 0.1 ms: hardly a call in a thousand pays for it, and a process that has
    /// done with attention has no threads of it. Tests shorten it.
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

    /// <summary>Offers an item to as many threads. Where this throws, no thread has seen it.</summary>
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
            int wanted = s_runsLeft - s_looking;
            for (int i = Math.Min(wanted, s_sleeping); i > 0; i--)
                s_gate.Pulse();
            for (int i = Math.Min(wanted - s_sleeping, Max - s_threads); i > 0 && TryStart(); i--)
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

    /// <summary>Takes an offer back.</summary>
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

    /// <summary>Has the threads end that find no work.</summary>
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

    /// <summary>Starts a thread. Where the system has none left, the callers do all themselves, whatever the exception is.</summary>
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

    /// <summary>The next run of the first item; waits for one. Null where the thread is to end.</summary>
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
