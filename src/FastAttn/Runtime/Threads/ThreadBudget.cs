using System;

namespace FastAttn.Runtime;

/// <summary>What a caller's number of threads stands for.</summary>
internal static class ThreadBudget
{
    /// <summary>How many threads may work; <paramref name="maxThreads"/> of 0 or −1 stands for all processors.</summary>
    public static int Of(int maxThreads) => maxThreads <= 0 ? Environment.ProcessorCount : maxThreads;
}
