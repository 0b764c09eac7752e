using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn.Measurement;

/// <summary>
/// The most that one core of this CPU computes: the ceiling over every attention kernel, since nearly all their work is
/// fused multiply-adds. Always measured beside the numbers it is set against: clocks differ from one minute to the next.
/// </summary>
public static class FmaPeak
{
    // Long enough for the timer and the clock to settle, short enough to fall between two interruptions.
    private static readonly TimeSpan Repetition = TimeSpan.FromMilliseconds(5);
    private const int Repetitions = 15;

    /// <summary>The rate of independent fused multiply-adds whose operands stay in registers, on the caller's thread; takes about 0.2 s.</summary>
    /// <param name="instructionSet">One that this process can run.</param>
    /// <returns>The median of several short repetitions (on virtual machines the clock itself sometimes jumps, so not the best), in 10⁹ floating-point operations a second; a multiply-add counts as two.</returns>
    /// <remarks>
    /// The multiply-add is the kernels' own: where the CPU does not fuse it, the peak is that of a product and a sum.
    /// </remarks>
    /// <exception cref="PlatformNotSupportedException">This process cannot run <paramref name="instructionSet"/>.</exception>
    public static double MeasureGigaflops(InstructionSet instructionSet)
    {
        if (!InstructionSets.IsSupported(instructionSet))
            throw new PlatformNotSupportedException($"{instructionSet} cannot be run by this process.");

        // 12 chains hide the 4 or 5 cycles of two units and fit 16 registers; wide Arm cores have four units and 32 registers.
        return instructionSet switch
        {
            InstructionSet.Avx512 => Median(MultiplyAddChains<Lanes16>.Run12, 12 * Lanes16.Count),
            InstructionSet.Avx2 => Median(MultiplyAddChains<Lanes8>.Run12, 12 * Lanes8.Count),
            InstructionSet.AdvSimd => Median(MultiplyAddChains<Lanes4>.Run24, 24 * Lanes4.Count),
            InstructionSet.Vector128 => Median(MultiplyAddChains<Lanes4>.Run12, 12 * Lanes4.Count),
            _ => Median(MultiplyAddChains<Lanes1>.Run12, 12 * Lanes1.Count),
        };
    }

    /// <summary>
    /// The rate of several threads together. It is less than their number times that of one where two of them share a
    /// core, or where the clock falls as more cores work.
    /// </summary>
    /// <param name="instructionSet">One that this process can run.</param>
    /// <param name="threads">Number of threads, at least 1.</param>
    /// <returns>The sum over the threads, measured at the same time.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is less than 1.</exception>
    /// <exception cref="PlatformNotSupportedException">This process cannot run <paramref name="instructionSet"/>.</exception>
    public static double MeasureGigaflops(InstructionSet instructionSet, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (threads == 1 || !InstructionSets.IsSupported(instructionSet))
            return MeasureGigaflops(instructionSet);

        using var line = new Barrier(threads);
        var rates = new double[threads];
        var workers = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            int own = i;
            workers[i] = new Thread(() =>
            {
                line.SignalAndWait();
                rates[own] = MeasureGigaflops(instructionSet);
            })
            { IsBackground = true };
            workers[i].Start();
        }

        foreach (Thread worker in workers)
            worker.Join();
        return rates.Sum();
    }

    private static double Median(Func<int, float> chains, int multiplyAdds)
    {
        int steps = 1024;
        while (Time(chains, steps) < Repetition)
            steps *= 2;

        var times = new TimeSpan[Repetitions];
        foreach (ref TimeSpan time in times.AsSpan())
            time = Time(chains, steps);
        Array.Sort(times);
        return 2e-9 * multiplyAdds * steps / times[Repetitions / 2].TotalSeconds;
    }

    private static TimeSpan Time(Func<int, float> chains, int steps)
    {
        long start = Stopwatch.GetTimestamp();
        float sum = chains(steps);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        return float.IsNaN(sum) ? throw new UnreachableException("The chains converge.") : elapsed;
    }
}
