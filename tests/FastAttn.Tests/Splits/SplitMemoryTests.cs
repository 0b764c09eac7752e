using System;
using System.Threading;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Splits;

/// <summary>The memory that the workers of a call share for the states of splits.</summary>
[Collection(AloneCollection.Name)]
public static class SplitMemoryTests
{
    // Some 5 million multiply-adds in 63 splits.
    private static readonly Case Call = new(64, 64, AttentionMask.None, new(1, 16, 1, 1, 2000)) { KeyBlock = 1 };

    [Fact]
    public static void Call_allocates_nothing_on_the_managed_heap()
    {
        Inputs inputs = Inputs.Normal(Call);
        Outputs<float> outputs = Call.NewOutputs();
        AttentionKernel kernel = Call.Kernel;
        Allocations.AreNone("One thread", () => Call.Run(kernel, inputs, outputs));
        Case threaded = Call with { Threads = 3 };
        Allocations.AreNoneInTheProcess("Three threads", rounds: 20, calls: Budget.Of(100, 10), () => threaded.Run(kernel, inputs, outputs));
    }

    /// <summary>At whatever moment: what the call had is kept for later calls, and the next call is right.</summary>
    [Fact]
    public static void Cancelled_call_gives_its_memory_back()
    {
        Inputs inputs = Inputs.Normal(Call);
        Outputs<float> expected = Call.Run(Call.Kernel, inputs), outputs = Call.NewOutputs();
        AttentionRuntime.Trim();
        Call.Run(Call.Kernel, inputs, outputs);
        long kept = AttentionRuntime.KeptScratchBytes;
        Assert.NotEqual(0, kept);
        int cancelled = 0;
        for (int i = 0; i < Budget.Of(200, 20); i++)
        {
            using var source = new CancellationTokenSource();
            var canceller = new Thread(() =>
            {
                Thread.SpinWait(i * 50);
                source.Cancel();
            });
            canceller.Start();
            try
            {
                (Call with { CancellationToken = source.Token }).Run(Call.Kernel, inputs, outputs);
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }

            canceller.Join();
            Assert.Equal(kept, AttentionRuntime.KeptScratchBytes);
            Call.Run(Call.Kernel, inputs, outputs);
            Compare.SameBits($"Round {i}", expected, outputs);
        }

        Assert.True(cancelled > 0, "No call was cancelled.");
    }

    /// <summary>
    /// A long prompt among sequences of a query each, one of which has many keys. Room for each sequence to have as many queries and keys as the
    /// longest would be 60 · 4 · 300 · 4 states of 80 floats, or 88 MiB.
    /// </summary>
    [Fact]
    public static void Memory_is_that_of_the_sequences_that_are_split()
    {
        const int Batch = 60, Prompt = 300, Many = 10_000;
        int[] queryStarts = new int[Batch + 1], keyStarts = new int[Batch + 1];
        for (int b = 0; b < Batch; b++)
        {
            queryStarts[b + 1] = queryStarts[b] + (b == 0 ? Prompt : 1);
            keyStarts[b + 1] = keyStarts[b] + (b == 1 ? Many : 10);
        }

        var call = new Case(16, 64, AttentionMask.None, new(Batch, 4, 4, Prompt, Many)) { QueryStarts = queryStarts, KeyStarts = keyStarts };
        Inputs inputs = Inputs.Normal(call);
        AttentionRuntime.Trim();
        call.Run(call.Kernel, inputs);
        Assert.InRange(AttentionRuntime.KeptScratchBytes, 1, 4 << 20);
    }
}
