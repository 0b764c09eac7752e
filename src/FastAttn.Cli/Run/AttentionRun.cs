using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;

namespace FastAttn.Cli;

/// <summary>How a problem is to be run: everything that changes its time but not what it computes.</summary>
internal sealed class AttentionRun
{
    /// <summary>The threads that may work on a call.</summary>
    public required AttentionExecution Execution { get; init; }

    /// <summary>The instruction set to pin; the default one where null.</summary>
    public required InstructionSet? InstructionSet { get; init; }

    /// <summary>The threads that may work at once, which are no more than the processors.</summary>
    public int Threads => Execution.MaxDegreeOfParallelism == 0
        ? Environment.ProcessorCount
        : Math.Min(Execution.MaxDegreeOfParallelism, Environment.ProcessorCount);

    /// <summary>Runs the problem several times and returns the last output.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="output">Written: <see cref="AttentionProblem.OutputLength"/> floats.</param>
    /// <param name="warmUp">The time to run before the timed runs, for the JIT to finish and threads to start; at least one run.</param>
    /// <param name="timed">The time for timed runs, of which there are 1 to 21.</param>
    public Timing Execute(AttentionProblem problem, float[] output, TimeSpan warmUp, TimeSpan timed)
    {
        const int MaxRuns = 21;

        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(problem.HeadDim, problem.Mask, valueDim: problem.ValueDim);
        if (InstructionSet is { } pinned)
            kernel = kernel.For(pinned);

        long start = Stopwatch.GetTimestamp();
        do
            RunOnce();
        while (Stopwatch.GetElapsedTime(start) < warmUp);

        var times = new List<TimeSpan>(MaxRuns);
        start = Stopwatch.GetTimestamp();
        do
        {
            long before = Stopwatch.GetTimestamp();
            RunOnce();
            times.Add(Stopwatch.GetElapsedTime(before));
        }
        while (times.Count < MaxRuns && Stopwatch.GetElapsedTime(start) < timed);

        return new Timing(kernel, times.Order().ElementAt(times.Count / 2), times.Count);

        void RunOnce() => kernel.Forward(problem.Query, problem.Key, problem.Value, output, problem.Shape, problem.Options, Execution);
    }
}
