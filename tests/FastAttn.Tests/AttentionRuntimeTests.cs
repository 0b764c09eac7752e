using System;
using System.Linq;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests;

/// <summary>What is kept between calls: scratch memory and threads.</summary>
[Collection(AloneCollection.Name)]
public static unsafe class AttentionRuntimeTests
{
    private const long Megabyte = 1 << 20, Floats = Megabyte / sizeof(float);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public static void Scratch_memory_is_kept_for_the_next_call()
    {
        AttentionRuntime.Trim();
        Workspace first = Workspace.Rent(1000);
        float* memory = first.Memory;
        first.Return();
        Workspace second = Workspace.Rent(1000);
        Assert.True(second.Memory == memory && memory != null);
        second.Return();
    }

    [Fact]
    public static void Smallest_memory_that_is_large_enough_is_taken()
    {
        AttentionRuntime.Trim();
        Workspace[] workspaces = [.. ((long[])[3000, 1000, 2000]).Select(Workspace.Rent)];
        float* middle = workspaces[2].Memory;
        foreach (Workspace workspace in workspaces)
            workspace.Return();
        Workspace taken = Workspace.Rent(1500);
        Assert.True(taken.Memory == middle);
        taken.Return();
    }

    [Fact]
    public static void Scratch_memory_is_kept_up_to_the_limit_in_all()
    {
        WithLimit(10 * Megabyte, static () =>
        {
            Workspace[] workspaces = [.. Enumerable.Range(0, 4).Select(static _ => Workspace.Rent(3 * Floats))];
            foreach (Workspace workspace in workspaces)
                workspace.Return();
            Assert.Equal(9 * Megabyte, AttentionRuntime.KeptScratchBytes);

            AttentionRuntime.MaxKeptScratchBytes = 9 * Megabyte;
            Assert.Equal(9 * Megabyte, AttentionRuntime.KeptScratchBytes);
            AttentionRuntime.MaxKeptScratchBytes = 9 * Megabyte - 1;
            Assert.Equal(0, AttentionRuntime.KeptScratchBytes);
        });
    }

    [Fact]
    public static void Negative_limit_is_refused()
    {
        long before = AttentionRuntime.MaxKeptScratchBytes;
        Assert.Throws<ArgumentOutOfRangeException>("value", static () => AttentionRuntime.MaxKeptScratchBytes = -1);
        Assert.Equal(before, AttentionRuntime.MaxKeptScratchBytes);
    }

    /// <summary>Some 5 MiB of projections each.</summary>
    [Fact]
    public static void Threads_that_have_ended_leave_no_more_memory_than_the_limit()
    {
        MultiHeadAttention layer = new Layer(new() { ModelDim = 64, Heads = 4 }).Build();
        int length = Budget.Of(5000, 500);
        float[] input = Tokens.Normal(length * 64);
        WithLimit(20 * Megabyte, () =>
        {
            Thread[] threads = [.. Enumerable.Range(0, Budget.Of(100, 10)).Select(_ => new Thread(() => layer.Forward(input.AsSpan(0, 64 * 50), new float[64 * 50], 1, 50)))];
            foreach (Thread thread in threads)
                thread.Start();
            layer.Forward(input, new float[input.Length], 1, length);
            foreach (Thread thread in threads)
                thread.Join();
            Assert.InRange(AttentionRuntime.KeptScratchBytes, 1, 20 * Megabyte);
            AttentionRuntime.Trim();
            Assert.Equal(0, AttentionRuntime.KeptScratchBytes);
        });
    }

    [Fact]
    public static void Memory_that_is_not_used_for_a_period_is_freed()
    {
        Workspace.Rent(1000).Return();
        Workspace.EndPeriod();
        Workspace.EndPeriod();
        Assert.Equal(0, AttentionRuntime.KeptScratchBytes);
    }

    [Fact]
    public static void Threads_end_when_they_are_idle_and_start_when_they_are_needed()
    {
        Assert.SkipWhen(WorkerThreads.Max == 0, "There is one processor.");
        TimeSpan before = WorkerThreads.IdleTime;
        try
        {
            WorkerThreads.IdleTime = TimeSpan.FromMilliseconds(20);
            EndAll();
            for (int i = 0; i < 5; i++)
            {
                RunOnWorker();
                Assert.True(SpinWait.SpinUntil(static () => WorkerThreads.Count == 0, Patience));
            }
        }
        finally
        {
            WorkerThreads.IdleTime = before;
        }
    }

    [Fact]
    public static void Trim_ends_the_threads()
    {
        Assert.SkipWhen(WorkerThreads.Max == 0, "There is one processor.");
        TimeSpan before = WorkerThreads.IdleTime;
        try
        {
            // Longer than the test waits: only the call can end them.
            WorkerThreads.IdleTime = TimeSpan.FromHours(1);
            for (int i = 0; i < 5; i++)
            {
                RunOnWorker();
                Assert.True(WorkerThreads.Count > 0);

                // As they look for work, and as they sleep.
                Thread.Sleep(10 * (i % 2));
                EndAll();
            }
        }
        finally
        {
            WorkerThreads.IdleTime = before;
        }
    }

    private static void EndAll()
    {
        AttentionRuntime.Trim();
        Assert.True(SpinWait.SpinUntil(static () => WorkerThreads.Count == 0, Patience));
    }

    private static void RunOnWorker()
    {
        Thread caller = Thread.CurrentThread;
        bool hasRun = false;
        TiledJob<GivenWork>.Run(
            new(2, _ =>
            {
                if (Thread.CurrentThread == caller)
                    SpinWait.SpinUntil(() => Volatile.Read(ref hasRun), Patience);
                else
                    Volatile.Write(ref hasRun, true);
            }),
            2,
            CancellationToken.None);
        Assert.True(hasRun);
    }

    private static void WithLimit(long bytes, Action claim)
    {
        long before = AttentionRuntime.MaxKeptScratchBytes;
        AttentionRuntime.Trim();
        AttentionRuntime.MaxKeptScratchBytes = bytes;
        try
        {
            claim();
        }
        finally
        {
            AttentionRuntime.MaxKeptScratchBytes = before;
            AttentionRuntime.Trim();
        }
    }
}
