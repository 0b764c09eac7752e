using System;
using System.Runtime.ExceptionServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// One call's tiles, shared out among the caller and threads of the thread pool: whoever is free takes the next
/// tile. The caller always works itself, so a busy pool delays but never blocks a call.
/// </summary>
/// <remarks>
/// Jobs are reused. A job that was queued may be run by the pool long after its call has returned; <see cref="_references"/>
/// counts the caller and those runs, and only when all are gone the job is idle again.
/// </remarks>
/// <typeparam name="TWork">What the tiles are.</typeparam>
internal sealed class TiledJob<TWork> : IThreadPoolWorkItem
    where TWork : struct, ITiledWork
{
    /// <summary>
    /// The cost that is worth another thread: some 25 µs on a CPU of 40 GFLOP/s, where calls of twice that gain a third from a second
    /// thread. With twice as much, calls of 90 µs stayed on one.
    /// </summary>
    private const long WorkPerThread = 500_000;

    /// <summary>Calls that may be shared at once, leftovers in the pool's queue included; past them a call runs on its own thread.</summary>
    private const int MaxJobs = 64;

    private const int Closed = 1 << 30;

    private static readonly Lock Gate = new();

    // All are made at the first shared call: later ones allocate nothing, however many leftovers wait in the pool's queue.
    private static readonly TiledJob<TWork>[] s_idle = MakeAll();
    private static int s_idleCount = MaxJobs;

    private readonly object _gate = new();
    private bool _isDone;
    private TWork _work;
    private long _workspaceFloats;
    private int _threads;
    private long _tiles;
    private long _taken;
    private int _references;
    private int _working;
    private ExceptionDispatchInfo? _error;

    /// <summary>Does all tiles.</summary>
    /// <param name="work">The work; what it points to stays in place until this returns.</param>
    /// <param name="maxThreads">The most threads that may work, the caller's included; 0 for all processors.</param>
    public static void Run(in TWork work, int maxThreads)
    {
        long tiles = work.Tiles;
        if (tiles == 0)
            return;
        int threads = Threads(work, tiles, maxThreads);
        TiledJob<TWork>? job = threads == 1 ? null : Rent();
        if (job is null)
        {
            Workspace workspace = Workspace.Rent(work.WorkspaceFloats);
            for (long i = 0; i < tiles; i++)
                work.Run(i, i + 1 < tiles ? i + 1 : -1, workspace);
            workspace.Return();
            return;
        }

        job.Share(work, tiles, threads - 1);
    }

    /// <summary>Called by the thread pool.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        if (TryEnter())
        {
            Work();
            if (Interlocked.Decrement(ref _working) == Closed)
                SetDone();
        }

        Release();
    }

    private static int Threads(in TWork work, long tiles, int maxThreads)
    {
        long threads = ThreadBudget.Of(maxThreads);
        return (int)Math.Max(1, Math.Min(Math.Min(threads, tiles), work.Cost / WorkPerThread));
    }

    /// <summary>An idle job, or null where the pool has too many to run yet.</summary>
    private static TiledJob<TWork>? Rent()
    {
        lock (Gate)
        {
            return s_idleCount > 0 ? s_idle[--s_idleCount] : null;
        }
    }

    private static TiledJob<TWork>[] MakeAll()
    {
        var jobs = new TiledJob<TWork>[MaxJobs];
        for (int i = 0; i < jobs.Length; i++)
            jobs[i] = new();
        return jobs;
    }

    private void Share(in TWork work, long tiles, int others)
    {
        _work = work;
        _workspaceFloats = work.WorkspaceFloats;
        _threads = 1 + others;
        _tiles = tiles;
        _taken = 0;
        _error = null;
        _isDone = false;
        _references = 1 + others;
        Volatile.Write(ref _working, 0);
        for (int i = 0; i < others; i++)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

        Work();
        if (Interlocked.Add(ref _working, Closed) != Closed)
            WaitUntilDone();
        ExceptionDispatchInfo? error = _error;
        Release();
        error?.Throw();
    }

    // A ManualResetEventSlim would allocate at its first wait.
    private void SetDone()
    {
        lock (_gate)
        {
            _isDone = true;
            Monitor.Pulse(_gate);
        }
    }

    private void WaitUntilDone()
    {
        SpinWait spin = default;
        while (!Volatile.Read(ref _isDone) && !spin.NextSpinWillYield)
            spin.SpinOnce();
        lock (_gate)
        {
            while (!_isDone)
                Monitor.Wait(_gate);
        }
    }

    private bool TryEnter()
    {
        int working = Volatile.Read(ref _working);
        while (working < Closed)
        {
            int seen = Interlocked.CompareExchange(ref _working, working + 1, working);
            if (seen == working)
                return true;
            working = seen;
        }

        return false;
    }

    private void Work()
    {
        try
        {
            Workspace workspace = Workspace.Rent(_workspaceFloats);
            for (long i; (i = Interlocked.Increment(ref _taken) - 1) < _tiles;)
                _work.Run(i, i + _threads < _tiles ? i + _threads : -1, workspace);
            workspace.Return();
        }
        catch (Exception error)
        {
            // Out of memory for a workspace. What the others do is void, so let them stop too.
            _error = ExceptionDispatchInfo.Capture(error);
            Volatile.Write(ref _taken, _tiles);
        }
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _references) != 0)
            return;
        _work = default;
        lock (Gate)
        {
            s_idle[s_idleCount++] = this;
        }
    }
}
