using System;
using System.Threading;

using FastAttn.Tests.Fixtures;

using Xunit;

using static FastAttn.Tests.Caches.PagedTokens;

namespace FastAttn.Tests.Caches;

/// <summary>Threads that change sequences of one pool at once, each its own, which share pages.</summary>
public static class PagedConcurrencyTests
{
    private const int Callers = 4, Prompt = 20;

    [Fact]
    public static void Sequences_that_share_pages_are_changed_at_once_and_no_page_is_lost()
    {
        // For each caller: a fork, its copy of the prompt's second page, and two pages more. The pool is full now and then, as others' forks come and go.
        using KeyValuePagePool pool = Pool(2 + Callers * 3);
        using var prompt = new PagedSequence(pool);
        Append(prompt, Range(0, Prompt));
        ConcurrencyTests.RunAtOnce(Callers, caller =>
        {
            var random = new Random(caller);
            for (int i = 0; i < Budget.Of(5000, 300); i++)
            {
                using PagedSequence fork = prompt.Fork(), other = fork.Fork();
                int[] tokens = Range(1000 * (caller + 1) + i % 100, random.Next(1, 30));
                other.Dispose();
                Append(fork, tokens);
                AreIn(fork, [.. Range(0, Prompt), .. tokens]);
                fork.Truncate(random.Next(Prompt));
                Append(fork, 7);
            }
        });
        Assert.Equal(2 + Callers * 3 - 2, pool.FreePages);
        AreIn(prompt, Range(0, Prompt));
    }

    [Fact]
    public static void A_pool_that_is_full_refuses_some_and_loses_nothing()
    {
        using KeyValuePagePool pool = Pool(5);
        int done = 0;
        ConcurrencyTests.RunAtOnce(Callers, caller =>
        {
            int[] tokens = Range(100 * caller, 40);
            for (int i = 0; i < Budget.Of(5000, 300); i++)
            {
                using var sequence = new PagedSequence(pool);
                try
                {
                    Append(sequence, tokens);
                }
                catch (InvalidOperationException)
                {
                    Assert.Equal((0, 0), (sequence.Length, sequence.Pages.Length));
                    continue;
                }

                AreIn(sequence, tokens);
                Interlocked.Increment(ref done);
            }
        });
        Assert.True(done > 0);
        Assert.Equal(5, pool.FreePages);
    }

    [Fact]
    public static void Interrupted_threads_lose_no_page()
    {
        using KeyValuePagePool pool = Pool(2 * Callers + 2);
        using var prompt = new PagedSequence(pool);
        Append(prompt, Range(0, Prompt));
        int running = Callers;
        var errors = new Exception?[Callers];
        var threads = new Thread[Callers];
        float[] keys = Keys(1), values = Values(1);
        for (int caller = 0; caller < Callers; caller++)
        {
            int own = caller;
            threads[caller] = new(() =>
            {
                try
                {
                    for (int i = 0; i < Budget.Of(20000, 1000); i++)
                    {
                        using PagedSequence fork = prompt.Fork();
                        fork.Append(keys, values, 1);
                        if (i % 8 == 0)
                            _ = TiledJobTests.IsInterrupted();
                    }
                }
                catch (Exception error)
                {
                    errors[own] = error;
                }
                finally
                {
                    Interlocked.Decrement(ref running);
                }
            });
            threads[caller].Start();
        }

        var random = new Random(1);
        while (Volatile.Read(ref running) > 0)
        {
            threads[random.Next(Callers)].Interrupt();
            Thread.SpinWait(random.Next(3000));
        }

        foreach (Thread thread in threads)
            thread.Join();
        Assert.All(errors, Assert.Null);
        Assert.Equal(2 * Callers, pool.FreePages);
    }
}
