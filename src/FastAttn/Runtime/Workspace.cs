using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Scratch memory of one worker, aligned to a cache line. It is kept between calls, up to <see cref="MostKept"/>, so that there are as
/// many as workers were ever busy at once.
/// </summary>
internal sealed unsafe class Workspace
{
    /// <summary>
    /// Floats that are kept: 256 MiB, which hold the projections of 32,000 tokens of 512 floats, or of 4,000 of 4096. Larger calls ask the
    /// system anew each time. A choice, not a measurement.
    /// </summary>
    internal const long MostKept = 64 << 20;

    private const int Alignment = 64;
    private static readonly Lock Gate = new();
    private static Workspace?[] s_idle = new Workspace?[Environment.ProcessorCount];
    private static int s_idleCount;

    private nuint _capacity;

    private Workspace()
    {
    }

    /// <summary>The memory; it holds as many floats as were asked for, not cleared.</summary>
    public float* Memory { get; private set; }

    /// <summary>Floats up to the next cache line.</summary>
    public static long Aligned(long floats) => (floats + Alignment / sizeof(float) - 1) & ~(Alignment / sizeof(float) - 1L);

    /// <summary>Takes the smallest idle workspace that is large enough, else the largest, or makes one.</summary>
    /// <param name="floats">Floats needed.</param>
    public static Workspace Rent(long floats)
    {
        Workspace? workspace = null;
        lock (Gate)
        {
            int best = -1;
            for (int i = 0; i < s_idleCount; i++)
            {
                if (best < 0 || IsBetter(s_idle[i]!._capacity, s_idle[best]!._capacity, (nuint)floats))
                    best = i;
            }

            if (best >= 0)
            {
                workspace = s_idle[best];
                s_idle[best] = s_idle[--s_idleCount];
            }
        }

        workspace ??= new Workspace();
        workspace.Reserve((nuint)floats);
        return workspace;
    }

    /// <summary>Gives it back.</summary>
    public void Return()
    {
        if (_capacity > (nuint)MostKept)
            Free();
        lock (Gate)
        {
            if (s_idleCount == s_idle.Length)
                Array.Resize(ref s_idle, 2 * s_idle.Length);
            s_idle[s_idleCount++] = this;
        }
    }

    private static bool IsBetter(nuint capacity, nuint other, nuint floats) =>
        capacity >= floats ? other < floats || capacity < other : capacity > other;

    private void Reserve(nuint floats)
    {
        if (floats <= _capacity)
            return;
        Free();
        Memory = (float*)NativeMemory.AlignedAlloc(checked(floats * sizeof(float)), Alignment);
        _capacity = floats;
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Memory);
        Memory = null;
        _capacity = 0;
    }
}
