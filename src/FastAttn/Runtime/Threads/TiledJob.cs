using System;
using System.Runtime.ExceptionServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// One call's tiles, distributed among the caller and <see cref="WorkerThreads"/>: each has its own range and, when that is
/// done, takes tiles from the others'. The caller always works itself, so busy workers delay but never block a call.
/// </summary>
/// <remarks>
/// Ranges keep a head's keys and values with one core, and what a core wrote in one call is in its cache in the next. When any free
/// thread took the next tile, two threads lost up to a tenth of a short call to cache lines that came from the other core.
/// </remarks>
/// <typeparam name="TWork">The work.</typeparam>
internal sealed class TiledJob<TWork> : SharedItem
    where TWork : struct, ITiledWork
{
    /// <summary>
    /// The cost that is worth another thread: some 25 µs on a CPU of 40 GFLOP/s, where calls of 50 µs gain a third from a second
    /// thread. With twice this cost, calls of 90 µs stayed on one thread.
    /// </summary>
    private const long WorkPerThread = 500_000;

    private static readonly IdleSlots<TiledJob<TWork>> s_idle = new();

    // Longs from one counter to the next: each has its own cache line.
    private const int CounterStride = 8;

    private readonly Gate _gate = new();
    private int _finished;
    private TWork _work;
    private CancellationToken _cancellation;
    private long _workspaceFloats;
    private int _threads;
    private long _tiles;
    private long[] _next = new long[CounterStride * Environment.ProcessorCount];
    private int _workers;
    private int _begun;
    private Exception? _error;
    private bool _isCancelled;

    private bool IsFinished => Volatile.Read(ref _finished) == _begun;

    /// <summary>Does all tiles. No thread works on them any more when this returns or throws, however it is left.</summary>
    /// <param name="work">The work; what it points to stays in place until this returns.</param>
    /// <param name="maxThreads">How many threads may work, the caller's included; 0 or −1 for all processors.</param>
    /// <param name="cancellation">Checked before each tile.</param>
    /// <exception cref="OperationCanceledException">Cancelled before a tile.</exception>
    public static void Run(in TWork work, int maxThreads, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        long tiles = work.Tiles;
        if (tiles == 0)
            return;
        int threads = Threads(work, tiles, maxThreads);
        if (threads == 1)
        {
            RunAlone(work, tiles, cancellation);
            return;
        }

        TiledJob<TWork> job = s_idle.Take() ?? new();
        try
        {
        }
        finally
        {
            // An abort (ControlledExecution) does not end a finally block. Workers hold the call's pointers while this one runs.
            job.Share(work, tiles, threads - 1, cancellation);
        }

        (Exception? error, bool isCancelled) = (job._error, job._isCancelled);
        job.Return();
        if (error is not null)
            ExceptionDispatchInfo.Throw(error);
        if (isCancelled)
            throw new OperationCanceledException(cancellation);
    }

    /// <summary>A worker's part.</summary>
    public override void Execute()
    {
        Work(own: Interlocked.Increment(ref _workers));
        _gate.Enter();
        try
        {
            Volatile.Write(ref _finished, _finished + 1);
            _gate.Pulse();
        }
        finally
        {
            _gate.Exit();
        }
    }

    private static int Threads(in TWork work, long tiles, int maxThreads)
    {
        long threads = Math.Min(Math.Min(ThreadBudget.Of(maxThreads), 1 + WorkerThreads.Max), tiles);
        return threads == 1 ? 1 : (int)Math.Max(1, Math.Min(threads, work.Cost / WorkPerThread));
    }

    private static void RunAlone(in TWork work, long tiles, CancellationToken cancellation)
    {
        Workspace workspace = Workspace.Rent(work.WorkspaceFloats);
        try
        {
            for (long i = 0; i < tiles; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                work.Run(i, i + 1 < tiles ? i + 1 : -1, workspace);
            }
        }
        finally
        {
            workspace.Return();
        }
    }

    private void Return()
    {
        _work = default;
        _cancellation = default;
        _error = null;
        s_idle.TryKeep(this);
    }

    private void Share(in TWork work, long tiles, int others, CancellationToken cancellation)
    {
        _work = work;
        _cancellation = cancellation;
        _workspaceFloats = work.WorkspaceFloats;
        _threads = 1 + others;
        _tiles = tiles;
        for (int range = 0; range < _threads; range++)
            _next[range * CounterStride] = FirstTile(range);
        _workers = 0;
        _finished = 0;
        _isCancelled = false;
        WorkerThreads.Offer(this, others);
        try
        {
            Work(own: 0);
        }
        finally
        {
            // Each worker that has begun computes its last tile, or is about to find that none is left.
            _begun = others - WorkerThreads.Withdraw(this);
            WaitForWorkers();
        }
    }

    private void WaitForWorkers()
    {
        if (WorkerThreads.SpinUntil(this, static job => job.IsFinished))
            return;
        _gate.Enter();
        try
        {
            _gate.WaitUntil(this, static job => job.IsFinished, Timeout.InfiniteTimeSpan);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private long FirstTile(int range) => range * _tiles / _threads;

    private void Work(int own)
    {
        try
        {
            TakeTiles(own);
        }
        catch (Exception error)
        {
            // There was no memory for a workspace, so the call fails. The other threads take no more tiles.
            _error = error;
            for (int range = 0; range < _threads; range++)
                Volatile.Write(ref _next[range * CounterStride], _tiles);
        }
    }

    private void TakeTiles(int own)
    {
        Workspace workspace = Workspace.Rent(_workspaceFloats);
        try
        {
            for (int i = 0; i < _threads; i++)
            {
                int range = (own + i) % _threads;
                long end = FirstTile(range + 1);

                // Reading first: otherwise many threads that find the others' ranges done would take the counters' cache lines from each other.
                ref long next = ref _next[range * CounterStride];
                for (long tile; Volatile.Read(ref next) < end && (tile = Interlocked.Increment(ref next) - 1) < end;)
                {
                    if (_cancellation.IsCancellationRequested)
                    {
                        // Every other thread finds the same before its next tile.
                        _isCancelled = true;
                        return;
                    }

                    _work.Run(tile, tile + 1 < end ? tile + 1 : -1, workspace);
                }
            }
        }
        finally
        {
            workspace.Return();
        }
    }
}
