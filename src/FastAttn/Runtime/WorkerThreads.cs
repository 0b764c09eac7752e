using System;
using System.Diagnostics;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Threads that wait for work, one for each processor but the caller's; they start when they are first needed.
/// </summary>
/// <remarks>
/// They are not the thread pool's: a call is over in some hundred microseconds, in which the pool may not have woken its thread
/// (4 of 10 times where work comes every 2 ms, on Linux 6.18 with two processors, so that calls took twice their time). These
/// look for work for <see cref="SpinTime"/> before they sleep. While they look they take it up at once; where
/// the other thread slept, a call of 170 µs took 280 to 350, and 343 with one thread.
/// </remarks>
internal static class WorkerThreads
{
    /// <summary>The most that may work at once.</summary>
    public static readonly int Most = Environment.ProcessorCount - 1;

    /// <summary>How long a thread looks for what it waits for before it sleeps.</summary>
    private static readonly TimeSpan SpinTime = TimeSpan.FromMilliseconds(1);

    /// <summary>How long it does so without a break. Then it lets others have the processor between looks: what it waits for may need it.</summary>
    private static readonly TimeSpan TimeAlone = TimeSpan.FromMicroseconds(20);

    private const int SpinsBetweenLooks = 10;

    // The items that have runs left, first come first served: linked, so that nothing is allocated.
    private static readonly object s_gate = new();
    private static SharedItem? s_first, s_last;
    private static int s_runsLeft, s_threads, s_looking, s_sleeping;

    // Written when the gate is open again: who looks and sees a change need not wait for whom it comes from.
    private static int s_offers;

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

    /// <summary>Offers an item to as many threads.</summary>
    public static void Offer(SharedItem item, int runs)
    {
        lock (s_gate)
        {
            item.RunsLeft = runs;
            item.Previous = s_last;
            if (s_last is null)
                s_first = item;
            else
                s_last.Next = item;
            s_last = item;

            s_runsLeft += runs;
            int wanted = s_runsLeft - s_looking;
            for (int i = Math.Min(wanted, s_sleeping); i > 0; i--)
                Monitor.Pulse(s_gate);
            for (int i = Math.Min(wanted - s_sleeping, Most - s_threads); i > 0 && TryStart(); i--)
            {
                s_threads++;
                s_looking++;
            }
        }

        Interlocked.Increment(ref s_offers);
    }

    /// <summary>Takes an offer back.</summary>
    /// <returns>The runs that no thread has begun and none will.</returns>
    public static int Withdraw(SharedItem item)
    {
        lock (s_gate)
        {
            int left = item.RunsLeft;
            if (left == 0)
                return 0;
            s_runsLeft -= left;
            item.RunsLeft = 0;
            Remove(item);
            return left;
        }
    }

    /// <summary>Starts a thread. Where the system has none left, the callers do all themselves.</summary>
    private static bool TryStart()
    {
        try
        {
            new Thread(Work) { IsBackground = true, Name = "FastAttn" }.UnsafeStart();
            return true;
        }
        catch (Exception error) when (error is OutOfMemoryException or ThreadStartException)
        {
            return false;
        }
    }

    private static void Work()
    {
        while (true)
        {
            Take().Execute();
            lock (s_gate)
            {
                s_looking++;
            }
        }
    }

    /// <summary>The next run of the first item; waits for one.</summary>
    private static SharedItem Take()
    {
        for (bool sleeps = false; ;)
        {
            int offers = Volatile.Read(ref s_offers);
            lock (s_gate)
            {
                while (sleeps && s_first is null)
                {
                    s_looking--;
                    s_sleeping++;
                    Monitor.Wait(s_gate);
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
