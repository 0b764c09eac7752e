using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Measurement;

namespace FastAttn.Benchmarks.Quick;

/// <summary>A run's figures as text.</summary>
internal static class QuickReport
{
    public static void Write(TextWriter writer, QuickResult result)
    {
        WriteMachine(writer, result);
        writer.WriteLine();
        WriteCases(writer, result.Cases);
        WriteReading(writer, result);
        WriteRatios(writer, result.Cases);
        WriteAllocations(writer, result.Cases);
    }

    private static void WriteMachine(TextWriter writer, QuickResult result)
    {
        writer.WriteLine($"CPU        {CpuName.Read()}, {Environment.ProcessorCount} processors");
        writer.WriteLine($"Runtime    {RuntimeInformation.FrameworkDescription} {RuntimeInformation.RuntimeIdentifier}");
        writer.WriteLine($"Date       {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC");
        foreach (InstructionSetPeak peak in result.Machine.Peaks)
            writer.WriteLine($"Peak       {peak.InstructionSet}, {Threads(result.Threads)}: {Figures(peak.Gigaflops)} GFLOP/s");
        writer.WriteLine($"Bandwidth  {Threads(result.Threads)}: {Figures(result.Machine.ReadGigabytesPerSecond)} GB/s");
        writer.WriteLine($"Rounds     {result.Rounds}; every second one for calls over 50 ms; medians");
    }

    private static void WriteCases(TextWriter writer, IEnumerable<CaseResult> cases)
    {
        var table = new TextTable(
            ("case", false),
            ("isa", false),
            ("threads", true),
            ("median ms", true),
            ("min..max", true),
            ("GFLOP/s", true),
            ("peak", true),
            ("share", true));
        foreach (CaseResult row in cases)
        {
            table.Add(
                row.Case.Name,
                row.Case.RunsOn,
                $"{row.Threads}",
                $"{row.Milliseconds.Median:F3}",
                $"{row.Milliseconds.Min:F3}..{row.Milliseconds.Max:F3}",
                $"{row.Gigaflops:F1}",
                $"{row.PeakGigaflops:F1}",
                $"{100 * row.Share:F1} %");
        }

        table.Write(writer);
    }

    private static void WriteReading(TextWriter writer, QuickResult result)
    {
        double bandwidth = result.Machine.ReadGigabytesPerSecond.Median;
        var table = new TextTable(("case", false), ("isa", false), ("reads", false), ("GB/s", true), ("bandwidth", true), ("share", true));
        foreach (CaseResult row in result.Cases)
        {
            if (row.ReadGigabytesPerSecond is { } read)
                table.Add(row.Case.Name, row.Case.RunsOn, row.Case.Reading!.What, $"{read:F1}", $"{bandwidth:F1}", $"{100 * read / bandwidth:F1} %");
        }

        writer.WriteLine();
        table.Write(writer);
    }

    /// <summary>
    /// Writes what a feature costs or saves, and how ONNX Runtime compares. A ratio is the time of a row over the time of its baseline, taken
    /// round by round, since the processor's clock differs from round to round.
    /// </summary>
    private static void WriteRatios(TextWriter writer, IReadOnlyList<CaseResult> cases)
    {
        Dictionary<string, CaseResult> rows = cases.ToDictionary(static row => row.Case.FullName);
        var table = new TextTable(("case", false), ("isa", false), ("median ms", true), ("ratio", true), ("min..max", true), ("over", false));
        foreach (CaseResult row in cases.Where(row => !row.Case.Baseline.IsEmpty && row.Case.Baseline.All(rows.ContainsKey)))
        {
            CaseResult[] baseline = [.. row.Case.Baseline.Select(name => rows[name])];
            // A row of short calls has a sample of every round, a row of long calls one of every second round.
            int rounds = Math.Min(row.Samples.Count, baseline.Min(static part => part.Samples.Count));
            Spread ratio = Spread.Of([.. Enumerable.Range(0, rounds).Select(round => At(row, round, rounds) / baseline.Sum(part => At(part, round, rounds)))]);
            table.Add(
                row.Case.Name,
                row.Case.RunsOn,
                $"{row.Milliseconds.Median:F3}",
                $"{ratio.Median:F3}",
                $"{ratio.Min:F3}..{ratio.Max:F3}",
                string.Join(" + ", row.Case.Baseline));
        }

        writer.WriteLine();
        table.Write(writer);

        static double At(CaseResult row, int round, int rounds) => row.Samples[row.Samples.Count > rounds ? 2 * round : round];
    }

    private static void WriteAllocations(TextWriter writer, IEnumerable<CaseResult> cases)
    {
        foreach (CaseResult row in cases.Where(row => row.Case.IsFastAttn && row.AllocatedBytes != 0))
            writer.WriteLine($"WARNING: {row.Case.FullName} allocated {row.AllocatedBytes} bytes while it was timed");
    }

    private static string Figures(Spread spread) => $"{spread.Median:F1} ({spread.Min:F1}..{spread.Max:F1})";

    private static string Threads(int threads) => threads == 1 ? "1 thread" : $"{threads} threads";
}
