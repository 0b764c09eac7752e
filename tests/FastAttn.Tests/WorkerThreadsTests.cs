using System;
using System.Linq;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The library's own threads.</summary>
public static class WorkerThreadsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public static void Worker_comes_when_it_looks_and_when_it_sleeps()
    {
        Assert.SkipWhen(WorkerThreads.Max == 0, "There is one processor.");
        foreach (int pause in (int[])[0, 0, 20, 0, 20])
        {
            Thread.Sleep(pause);
            var item = new CountingItem();
            WorkerThreads.Offer(item, 1);
            Assert.True(SpinWait.SpinUntil(() => item.Runs == 1, Patience));
            Assert.Equal(0, WorkerThreads.Withdraw(item));
        }
    }

    [Fact]
    public static void Every_offered_run_is_begun_or_withdrawn()
    {
        Assert.SkipWhen(WorkerThreads.Max == 0, "There is one processor.");
        ConcurrencyTests.RunAtOnce(callers: 4, static _ => OfferAndWithdraw());
    }

    private static void OfferAndWithdraw()
    {
        var items = Enumerable.Range(0, Budget.Of(2000, 200)).Select(static _ => new CountingItem()).ToArray();
        var begun = new int[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            int runs = 1 + i % 3;
            WorkerThreads.Offer(items[i], runs);
            Thread.SpinWait(i % 50);
            begun[i] = runs - WorkerThreads.Withdraw(items[i]);
            Assert.Equal(0, WorkerThreads.Withdraw(items[i]));
        }

        for (int i = 0; i < items.Length; i++)
            Assert.True(SpinWait.SpinUntil(() => items[i].Runs == begun[i], Patience), $"Item {i} ran {items[i].Runs} times, not {begun[i]}.");
    }

    private sealed class CountingItem : SharedItem
    {
        private int _runs;

        public int Runs => Volatile.Read(ref _runs);

        public override void Execute() => Interlocked.Increment(ref _runs);
    }
}
