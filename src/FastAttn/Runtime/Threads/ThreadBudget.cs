using System;

namespace FastAttn.Runtime;

/// <summary>The meaning of a caller's number of threads.</summary>
internal static class ThreadBudget
{
    /// <summary>How many threads may work; <paramref name="maxThreads"/> of 0 or −1 means all processors.</summary>
    public static int Of(int maxThreads) => maxThreads <= 0 ? Environment.ProcessorCount : maxThreads;
}
