using System;
using System.IO;

using FastAttn.Measurement;

using static System.FormattableString;

namespace FastAttn.Cli;

/// <summary>Prints what ran, how fast, and how much of this CPU that is.</summary>
internal static class Summary
{
    public static void Write(TextWriter output, AttentionProblem problem, AttentionRun run, Timing timing)
    {
        double peak = FmaPeak.MeasureGigaflops(timing.Kernel.InstructionSet);
        double seconds = Math.Max(timing.Median.TotalSeconds, 1e-9 * TimeSpan.NanosecondsPerTick); // An empty problem may take no time that the clock can see.
        double speed = problem.CountOperations() * 1e-9 / seconds;
        int threads = run.Threads;

        Line(output, "shape", problem.ToString());
        Line(output, "kernel", $"{timing.Kernel.Name}, instruction set {timing.Kernel.InstructionSet}");
        Line(output, "processor", CpuName.Read());
        Line(output, "threads", Invariant($"{threads} at most"));
        Line(output, "time", Invariant($"{timing.Median.TotalMilliseconds:0.000} ms, median of {timing.Runs}"));
        Line(output, "speed", Invariant($"{speed:0.0} GFLOP/s"));
        Line(output, "peak", Invariant($"{peak * threads:0.0} GFLOP/s, {peak:0.0} a thread, measured on one"));
        Line(output, "share", Invariant($"{100 * speed / (peak * threads):0.0} % of the peak"));
    }

    public static void Write(TextWriter output, Accuracy accuracy) =>
        Line(output, "error", Invariant($"{accuracy.MaxError:0.00e+00} at most, against double precision; allowed {accuracy.Bound:0.00e+00}"));

    private static void Line(TextWriter output, string name, string text) => output.WriteLine($"{name,-11}{text}");
}
