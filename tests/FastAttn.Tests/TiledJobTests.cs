using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Work that is shared among threads is over when the call is, however it ends.</summary>
public static class TiledJobTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public static void Interrupted_caller_waits_for_its_worker_and_is_interrupted_afterwards()
    {
        SharedCall call = new();
        bool isInterrupted = false;
        Thread caller = call.Start(work =>
        {
            TiledJob<GivenWork>.Run(work, 2, CancellationToken.None);
            call.HasReturned();
            isInterrupted = IsInterrupted();
        });
        for (int i = 0; i < 3; i++)
        {
            Assert.True(SpinWait.SpinUntil(() => (caller.ThreadState & ThreadState.WaitSleepJoin) != 0, Patience));
            caller.Interrupt();
            Thread.Sleep(20);
        }

        call.End(caller);
        Assert.True(isInterrupted);
    }

    [Fact]
    [SuppressMessage("Usage", "SYSLIB0046:Type or member is obsolete", Justification = "The only source of aborts.")]
    public static void Aborted_caller_waits_for_its_worker()
    {
        SharedCall call = new();
        using var abort = new CancellationTokenSource();
        bool isAborted = false;
        Thread caller = call.Start(work =>
        {
            try
            {
#pragma warning disable SYSLIB0046
                ControlledExecution.Run(
                    () =>
                    {
                        try
                        {
                            TiledJob<GivenWork>.Run(work, 2, CancellationToken.None);
                        }
                        finally
                        {
                            call.HasReturned();
                        }
                    },
                    abort.Token);
#pragma warning restore SYSLIB0046
            }
            catch (OperationCanceledException)
            {
                isAborted = true;
            }
        });
        Assert.True(SpinWait.SpinUntil(() => (caller.ThreadState & ThreadState.WaitSleepJoin) != 0, Patience));
        var aborter = new Thread(abort.Cancel);
        aborter.Start();
        Thread.Sleep(50);
        call.End(caller);
        Assert.True(aborter.Join(Patience));
        Assert.True(isAborted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public static void Exception_in_a_tile_reaches_the_caller_after_its_worker_has_ended(bool inWorker)
    {
        SharedCall call = new() { ThrowsInWorker = inWorker, ThrowsInCaller = !inWorker };
        InvalidTimeZoneException? caught = null;
        Thread caller = call.Start(work =>
        {
            caught = Assert.Throws<InvalidTimeZoneException>(() => TiledJob<GivenWork>.Run(work, 2, CancellationToken.None));
            call.HasReturned();
        });
        Thread.Sleep(50);
        call.End(caller);
        Assert.Equal(inWorker ? "worker" : "caller", caught?.Message);

        // The next call knows nothing of it.
        int tiles = 0;
        TiledJob<GivenWork>.Run(new(20, _ => Interlocked.Increment(ref tiles)), 2, CancellationToken.None);
        Assert.Equal(20, tiles);
    }

    [Fact]
    public static void Cancelled_call_of_one_thread_ends_before_the_next_tile()
    {
        using var source = new CancellationTokenSource();
        int tiles = 0;
        var error = Assert.Throws<OperationCanceledException>(() => TiledJob<GivenWork>.Run(
            new(10, tile =>
            {
                tiles++;
                if (tile == 3)
                    source.Cancel();
            }),
            1,
            source.Token));
        Assert.Equal(source.Token, error.CancellationToken);
        Assert.Equal(4, tiles);
    }

    [Fact]
    public static void Cancelled_call_of_many_threads_ends_before_their_next_tiles()
    {
        using var source = new CancellationTokenSource();
        int tiles = 0, late = 0;
        bool isCancelled = false;
        var error = Assert.Throws<OperationCanceledException>(() => TiledJob<GivenWork>.Run(
            new(1_000_000, _ =>
            {
                if (Volatile.Read(ref isCancelled))
                    Interlocked.Increment(ref late);
                if (Interlocked.Increment(ref tiles) != 100)
                    return;
                source.Cancel();
                Volatile.Write(ref isCancelled, true);
            }),
            0,
            source.Token));
        Assert.Equal(source.Token, error.CancellationToken);

        // A thread that looked just before may still begin a tile.
        Assert.True(late <= WorkerThreads.Max, $"{late} tiles were begun after the token was cancelled.");
    }

    [Fact]
    public static void Call_that_is_cancelled_in_its_last_tile_is_complete()
    {
        using var source = new CancellationTokenSource();
        int tiles = 0;
        TiledJob<GivenWork>.Run(
            new(5, _ =>
            {
                if (Interlocked.Increment(ref tiles) == 5)
                    source.Cancel();
            }),
            1,
            source.Token);
        Assert.Equal(5, tiles);
    }

    internal static bool IsInterrupted()
    {
        try
        {
            Thread.Sleep(1);
            return false;
        }
        catch (ThreadInterruptedException)
        {
            return true;
        }
    }

    /// <summary>One tile for the caller, which ends once the other has begun, and one for a worker, which ends when it is let go.</summary>
    private sealed class SharedCall
    {
        private bool _hasBegun;
        private bool _mayEnd;
        private bool _hasEnded;
        private bool _hasReturned;
        private bool _hadEndedAtReturn;
        private Exception? _error;

        public bool ThrowsInWorker { get; init; }

        public bool ThrowsInCaller { get; init; }

        /// <summary>Starts a caller; returns when its worker has begun.</summary>
        public Thread Start(Action<GivenWork> run)
        {
            Assert.SkipWhen(WorkerThreads.Max == 0, "There is one processor.");
            Thread? caller = null;
            caller = new Thread(() => _error = Record.Exception(() => run(new(2, Tile))));
            caller.Start();
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _hasBegun), Patience));
            return caller;

            void Tile(long tile)
            {
                if (Thread.CurrentThread == caller)
                {
                    // Without a wait that an interrupt would end.
                    while (!Volatile.Read(ref _hasBegun))
                        Thread.Yield();
                    if (ThrowsInCaller)
                        throw new InvalidTimeZoneException("caller");
                    return;
                }

                Volatile.Write(ref _hasBegun, true);
                SpinWait.SpinUntil(() => Volatile.Read(ref _mayEnd), Patience);
                Volatile.Write(ref _hasEnded, true);
                if (ThrowsInWorker)
                    throw new InvalidTimeZoneException("worker");
            }
        }

        public void HasReturned()
        {
            _hadEndedAtReturn = Volatile.Read(ref _hasEnded);
            Volatile.Write(ref _hasReturned, true);
        }

        /// <summary>Lets the worker go. The call had not returned before, and does now.</summary>
        public void End(Thread caller)
        {
            bool hadReturned = Volatile.Read(ref _hasReturned);
            Volatile.Write(ref _mayEnd, true);
            Assert.True(caller.Join(Patience));
            Assert.Null(_error);
            Assert.False(hadReturned, "The call returned while its worker was in a tile.");
            Assert.True(_hadEndedAtReturn);
        }
    }
}
