using System;
using System.Runtime.ExceptionServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// One call's tiles, shared out among the caller and <see cref="WorkerThreads"/>: each has a range of its own and, when that is
/// done, takes tiles of the others'. The caller always works itself, so busy workers delay but never block a call.
/// </summary>
/// <remarks>
/// Ranges keep a head's keys and values with one core, and what a core wrote in one call is near it in the next: where whoever was
/// free took the next tile, two threads lost up to a tenth of a short call to lines that came from the other core.
/// </remarks>
/// <typeparam name="TWork">What the tiles are.</typeparam>
internal sealed class TiledJob<TWork> : SharedItem
    where TWork : struct, ITiledWork
{
    /// <summary>
    /// The cost that is worth another thread: some 25 µs on a CPU of 40 GFLOP/s, where calls of twice that gain a third from a second
    /// thread. With twice as much, calls of 90 µs stayed on one.
    /// </summary>
    private const long WorkPerThread = 500_000;

    // As many as calls were ever shared at once.
    private static readonly Lock Gate = new();
    private static TiledJob<TWork>[] s_idle = new TiledJob<TWork>[Environment.ProcessorCount];
    private static int s_idleCount;

    // Longs from one counter to the next: each has a cache line of its own.
    private const int CounterStride = 8;

    private readonly object _gate = new();
    private int _finished;
    private TWork _work;
    private long _workspaceFloats;
    private int _threads;
    private long _tiles;
    private long[] _next = new long[CounterStride * Environment.ProcessorCount];
    private int _workers;
    private int _begun;
    private ExceptionDispatchInfo? _error;

    private bool IsFinished => Volatile.Read(ref _finished) == _begun;

    /// <summary>Does all tiles.</summary>
    /// <param name="work">The work; what it points to stays in place until this returns.</param>
    /// <param name="maxThreads">The most threads that may work, the caller's included; 0 for all processors.</param>
    public static void Run(in TWork work, int maxThreads)
    {
        long tiles = work.Tiles;
        if (tiles == 0)
            return;
        int threads = Threads(work, tiles, maxThreads);
        if (threads == 1)
        {
            Workspace workspace = Workspace.Rent(work.WorkspaceFloats);
            for (long i = 0; i < tiles; i++)
                work.Run(i, i + 1 < tiles ? i + 1 : -1, workspace);
            workspace.Return();
            return;
        }

        TiledJob<TWork> job = Rent();
        job.Share(work, tiles, threads - 1);
        ExceptionDispatchInfo? error = job._error;
        job.Return();
        error?.Throw();
    }

    /// <summary>A worker's part.</summary>
    public override void Execute()
    {
        Work(own: Interlocked.Increment(ref _workers));
        lock (_gate)
        {
            Volatile.Write(ref _finished, _finished + 1);
            Monitor.Pulse(_gate);
        }
    }

    private static int Threads(in TWork work, long tiles, int maxThreads)
    {
        long threads = Math.Min(ThreadBudget.Of(maxThreads), 1 + WorkerThreads.Most);
        return (int)Math.Max(1, Math.Min(Math.Min(threads, tiles), work.Cost / WorkPerThread));
    }

    private static TiledJob<TWork> Rent()
    {
        lock (Gate)
        {
            return s_idleCount > 0 ? s_idle[--s_idleCount] : new();
        }
    }

    private void Return()
    {
        _work = default;
        lock (Gate)
        {
            if (s_idleCount == s_idle.Length)
                Array.Resize(ref s_idle, 2 * s_idle.Length);
            s_idle[s_idleCount++] = this;
        }
    }

    private void Share(in TWork work, long tiles, int others)
    {
        _work = work;
        _workspaceFloats = work.WorkspaceFloats;
        _threads = 1 + others;
        _tiles = tiles;
        for (int range = 0; range < _threads; range++)
            _next[range * CounterStride] = FirstTile(range);
        _workers = 0;
        _finished = 0;
        _error = null;
        WorkerThreads.Offer(this, others);
        Work(own: 0);

        // The others are in their last tile, or have yet to find that none is left.
        _begun = others - WorkerThreads.Withdraw(this);
        if (WorkerThreads.SpinUntil(this, static job => job.IsFinished))
            return;
        lock (_gate)
        {
            while (!IsFinished)
                Monitor.Wait(_gate);
        }
    }

    private long FirstTile(int range) => range * _tiles / _threads;

    private void Work(int own)
    {
        try
        {
            Workspace workspace = Workspace.Rent(_workspaceFloats);
            for (int i = 0; i < _threads; i++)
            {
                int range = (own + i) % _threads;
                long end = FirstTile(range + 1);
                for (long tile; (tile = Interlocked.Increment(ref _next[range * CounterStride]) - 1) < end;)
                    _work.Run(tile, tile + 1 < end ? tile + 1 : -1, workspace);
            }

            workspace.Return();
        }
        catch (Exception error)
        {
            // Out of memory for a workspace. What the others do is void, so let them stop too.
            _error = ExceptionDispatchInfo.Capture(error);
            for (int range = 0; range < _threads; range++)
                Volatile.Write(ref _next[range * CounterStride], _tiles);
        }
    }
}
