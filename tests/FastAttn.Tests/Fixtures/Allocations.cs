using System;

using Xunit;

namespace FastAttn.Tests.Fixtures;

/// <summary>What calls allocate on the managed heap, once they are warm.</summary>
internal static class Allocations
{
    /// <summary>A call on this thread allocates nothing after the first.</summary>
    public static void AreNone(string what, Action call)
    {
        call();

        // A collection that happens meanwhile counts what is left of the thread's allocation context as allocated
        // (8008 bytes, seen once); what a call allocates would show in every round.
        AreNone(what, rounds: 5, calls: 10, GC.GetAllocatedBytesForCurrentThread, call);
    }

    /// <summary>
    /// Calls allocate nothing in the whole process: the workers' allocations count. Not every round is quiet: workers start, and the runtime has
    /// work of its own. What a call allocates would show in every round.
    /// </summary>
    public static void AreNoneInTheProcess(string what, int rounds, int calls, Action call) =>
        AreNone(what, rounds, calls, static () => GC.GetTotalAllocatedBytes(precise: true), call);

    private static void AreNone(string what, int rounds, int calls, Func<long> allocated, Action call)
    {
        long smallest = long.MaxValue;
        for (int round = 0; round < rounds && smallest > 0; round++)
        {
            long before = allocated();
            for (int i = 0; i < calls; i++)
                call();
            smallest = Math.Min(smallest, allocated() - before);
        }

        Assert.True(smallest == 0, $"{what}: {smallest} bytes in {calls} calls.");
    }
}
