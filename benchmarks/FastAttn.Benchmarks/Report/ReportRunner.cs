using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Report;

/// <summary>
/// Times all entries in turn, round after round: the peers of a case follow each other within milliseconds, so a slow
/// moment of the machine falls on all of them alike.
/// </summary>
internal sealed class ReportRunner(IReadOnlyList<ReportEntry> entries, int threads, int rounds, Deadline deadline, ICollection<string> notes, TextWriter progress)
{
    // As in QuickRunner: after four passes the JIT has made its final code, if it has this time for each step.
    private const int WarmPasses = 4;
    private static readonly TimeSpan JitTime = TimeSpan.FromMilliseconds(200);

    // Quartiles of fewer samples mean nothing.
    private const int MinRounds = 3;

    private readonly int[] _threadCounts = [.. new[] { 1, threads }.Distinct()];

    /// <summary>Rounds that were completed: fewer than asked for where the time is over.</summary>
    public int Rounds { get; private set; }

    public (IReadOnlyList<PeakFigure> Peaks, IReadOnlyList<BandwidthFigure> Bandwidths, IReadOnlyList<CaseFigure> Figures) Run()
    {
        InstructionSet[] instructionSets = [.. InstructionSets.Supported.Where(isa => isa <= InstructionSets.Default)];
        MachineSampler[] machines = [.. _threadCounts.Select(count => new MachineSampler(instructionSets, count))];
        List<CaseSampler<ReportEntry>> samplers = Prepare();

        // Long calls take part in every second round only, so that the next round may take as long as the longest before.
        TimeSpan longest = TimeSpan.Zero;
        for (; Rounds < rounds; Rounds++)
        {
            Say($"round {Rounds + 1} of {rounds}");
            long start = Stopwatch.GetTimestamp();
            foreach (MachineSampler machine in machines)
                machine.Sample();
            foreach (CaseSampler<ReportEntry> sampler in samplers.Where(sampler => sampler.TakesPartIn(Rounds)))
            {
                sampler.Sample();
                Rest(sampler);
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (elapsed > longest)
                longest = elapsed;
            if (Rounds + 1 >= MinRounds && deadline.IsTooCloseFor(longest))
            {
                Say("the time is over");
                Rounds++;
                break;
            }
        }

        return (
            [.. _threadCounts.Zip(machines, Peaks).SelectMany(peaks => peaks)],
            [.. _threadCounts.Zip(machines, (count, machine) => new BandwidthFigure(count, machine.Figures().ReadGigabytesPerSecond.Rounded(3)))],
            [.. samplers.Select(Figure)]);
    }

    private List<CaseSampler<ReportEntry>> Prepare()
    {
        Say($"{entries.Count} times to take; checking results");
        var buffers = new AttentionBuffers(
            entries.Max(entry => AttentionBuffers.QueryElements(entry.Case.Shape, entry.Case.HeadDim)),
            entries.Max(entry => AttentionBuffers.KeyElements(entry.Case.Shape, entry.Case.HeadDim)));
        List<CaseSampler<ReportEntry>> samplers = [];
        foreach (ReportEntry entry in entries)
        {
            try
            {
                samplers.Add(new CaseSampler<ReportEntry>(entry, CheckedBinding.Bind(entry.Peer, entry.Case, buffers, entry.Threads), entry.Threads));
            }
            catch (Exception e) when (entry.Peer is not FastAttnPeer)
            {
                // Another library may fail on a CPU or system that nobody has tried. The report goes on without this figure.
                notes.Add($"{entry.Peer.Name}, {entry.Case.Name}, {ThreadText.Of(entry.Threads)}: {e.Message}");
                Say(notes.Last());
            }
        }

        for (int pass = 0; pass < WarmPasses; pass++)
        {
            Say($"warm-up {pass + 1} of {WarmPasses}");
            // A long call runs its loops so often in one pass that the JIT needs no other.
            foreach (CaseSampler<ReportEntry> sampler in samplers.Where(sampler => pass == 0 || !sampler.IsLong))
            {
                sampler.Warm();
                Rest(sampler);
            }

            Thread.Sleep(JitTime);
        }

        return samplers;
    }

    // The threads of a peer spin for a while after a call. The next case waits for their end, since they would take processors from it.
    private static void Rest(CaseSampler<ReportEntry> sampler)
    {
        if (sampler.Case.Threads > 1)
            Thread.Sleep(sampler.Case.Peer.SpinTime);
    }

    private static IEnumerable<PeakFigure> Peaks(int count, MachineSampler machine) =>
        machine.Figures().Peaks.Select(peak => new PeakFigure(peak.InstructionSet, count, peak.Gigaflops.Rounded(3)));

    private static CaseFigure Figure(CaseSampler<ReportEntry> sampler)
    {
        // The numbers are milliseconds, rounded to nanoseconds.
        const int Decimals = 6;
        (IPeer peer, AttentionCase @case, int count) = sampler.Case;
        return new CaseFigure(
            @case.Group,
            @case.Name,
            @case.Shape.QueryLength,
            @case.Shape.KeyLength,
            @case.HeadDim,
            @case.Flops,
            @case.Bytes,
            @case.KeyValueBytes,
            peer.Name,
            count,
            Spread.Of(sampler.Milliseconds).Rounded(Decimals),
            sampler.AllocatedBytesPerCall,
            @case.Element);
    }

    private void Say(string text) => progress.WriteLine($"{deadline.Elapsed:mm\\:ss} {text}");
}
