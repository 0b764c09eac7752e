using System;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>What all calls in the process share: scratch memory that is kept between calls, and the library's threads.</summary>
/// <remarks>
/// <para>
/// A call takes native scratch memory: for attention at d up to 128 at most some 2 MiB per thread and, if few queries attend to more than 3072 keys, an output
/// row of each query for every 3072 keys; for a layer the projections of all its tokens. It gives the memory back when it ends; at most
/// <see cref="MaxKeptScratchBytes"/> are kept in all, the rest is freed at once. Kept memory that is not used is freed after 10 to 20 seconds, or after at
/// most 10 if the collector finds the machine short of memory.
/// </para>
/// <para>
/// The library's threads are background threads, one fewer than there are processors. They start when a call needs them, some 0.1 ms each. They
/// look for work for 1 ms after a call before they sleep, yielding the processor meanwhile, and end when no call has needed them for 10
/// seconds.
/// </para>
/// <para>
/// A call returns or throws only when no thread works on it any more. <see cref="System.Threading.Thread.Interrupt"/> does not end it: the
/// thread's next wait after the call is interrupted.
/// </para>
/// </remarks>
public static class AttentionRuntime
{
    /// <summary>
    /// The largest number of bytes of scratch memory that are kept between calls; initially 256 MiB or 4 MiB per processor, whichever is more. With 0 each call
    /// takes its memory from the system. Memory that running calls use does not count. A value below what is kept frees all that is kept.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public static long MaxKeptScratchBytes
    {
        get => Workspace.MaxKeptBytes;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            Workspace.MaxKeptBytes = value;
            if (KeptScratchBytes > value)
                Workspace.FreeIdle();
        }
    }

    /// <summary>The bytes of scratch memory that are kept now for later calls.</summary>
    public static long KeptScratchBytes => Workspace.KeptBytes;

    /// <summary>
    /// Frees the scratch memory that is kept, and ends the library's threads that no call needs. Later calls allocate and start them again.
    /// Any thread may call this at any time; calls that are running are not affected.
    /// </summary>
    /// <remarks>Not needed before the process ends. A collectible load context unloads once the threads have ended.</remarks>
    public static void Trim()
    {
        Workspace.FreeIdle();
        WorkerThreads.End();
    }
}
