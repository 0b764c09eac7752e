using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Report;

/// <summary><c>report.md</c>: one CPU's results to read.</summary>
internal static class ReportMarkdown
{
    public const string FileName = "report.md";

    /// <summary>Writes the plots and <c>report.md</c>.</summary>
    /// <param name="results">The figures.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="png">Whether plots as PNG too.</param>
    /// <param name="error">Takes a line where plots cannot be drawn.</param>
    public static void WriteWithPlots(ReportResults results, DirectoryInfo folder, bool png, TextWriter error)
    {
        IReadOnlyList<NamedPlot> plots = ReportPlots.Of(results);
        PlotFile.WriteAll(plots, folder, png, error);
        Write(results, plots, folder);
    }

    public static void Write(ReportResults results, IReadOnlyList<NamedPlot> plots, DirectoryInfo folder) =>
        File.WriteAllText(Path.Combine(folder.FullName, FileName), Compose(results, plots));

    public static string Compose(ReportResults results, IReadOnlyList<NamedPlot> plots)
    {
        var text = new StringBuilder();
        text.Append($"# FastAttn on {results.Machine.Cpu}\n\n").Append(Machine(results)).Append('\n').Append(Limits(results)).Append('\n');
        foreach (int threads in results.MatrixThreads)
        {
            text.Append($"## {ThreadText.Of(threads)}\n\n").Append(Explanation).Append('\n');
            text.Append(SpeedTable.Of(results, threads, static figure => figure.Group != ReportSuite.Cache)).Append('\n');
            if (CacheTable.Of(results, threads) is { IsEmpty: false } caches)
                text.Append($"### Caches, {ThreadText.Of(threads)}\n\n").Append(CacheExplanation).Append('\n').Append(caches).Append('\n');
        }

        text.Append("## Where a peer is faster\n\n").Append(List(SpeedTable.Behind(results), "Nowhere.")).Append('\n');
        text.Append("## First calls\n\n").Append(Startup(results)).Append('\n');
        text.Append("## Extra memory\n\n").Append(Memory(results)).Append('\n');
        text.Append("## Lesser instruction sets\n\n").Append(InstructionSets(results)).Append('\n');
        text.Append("## Plots\n");
        foreach (NamedPlot plot in plots)
            text.Append($"\n{plot.Message}\n\n![{plot.Message}]({plot.Name}.svg)\n");
        return text.ToString();
    }

    private const string Explanation =
        """
        `ms` is the median of a call and the spread its minimum and maximum. `GFLOP/s` counts 2·(d_k + d_v) for each pair of a query and
        a key that it sees; those that a boolean or bit mask hides are counted unless it is a causal one. The limit is the multiply-add peak that
        this run measured, for one query (decode) the read bandwidth.
        The last columns say how many times as fast as each library FastAttn is; below 1, in bold, it is slower. Of a library's
        operators the fastest counts. Empty: too slow to be measured here, or nothing that the library computes.

        """;

    public const string CacheExplanation =
        """
        Decoding over a cache, whose keys and values are stored as each element. Queries and outputs are floats. `GB/s` are bytes of keys and
        values over the median, beside the read bandwidth that this run measured; a cache that a level-3 cache holds may exceed it. All compute
        with the same stored numbers, but groups of 32 with scales of their own are FastAttn's and ggml's: beside them is what another library has in as many bits.
        `int4` is ONNX Runtime's, with a scale for each head and channel: FastAttn has no figure there. `int4-channel32` are FastAttn's keys of `Int4` beside values of
        `Int4Group32`. Of a library's ways the fastest counts.

        """;

    /// <summary>What the figures were measured on, and how far to trust them.</summary>
    public static string Machine(ReportResults results)
    {
        MachineDescription machine = results.Machine;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{machine.Cpu}, {machine.Processors} processors{(machine.IsVirtual ? " of a virtual machine (its neighbours make figures noisy)" : "")}; ");
        text.Append(CultureInfo.InvariantCulture, $"{machine.Runtime}; {machine.OperatingSystem}; commit {results.Commit}; {results.Date:yyyy-MM-dd}; medians of {results.Rounds} round{(results.Rounds == 1 ? "" : "s")}. ");
        text.Append(CultureInfo.InvariantCulture, $"FastAttn ran on {machine.InstructionSet}.\n");
        if (machine.Caches.Count > 0)
            text.Append($"Caches: {string.Join("; ", machine.Caches)}.\n");
        text.Append($"Peers: {string.Join(", ", results.Peers.Where(peer => results.OtherLibraries.Contains(peer.Library)).Select(peer => $"{peer.Library} {peer.Version}").Distinct())}.\n");
        foreach (string note in results.MissingPeers.Select(missing => $"Not measured: {missing}.").Concat(results.Notes))
            text.Append('\n').Append(note).Append('\n');
        return text.ToString();
    }

    private static MarkdownTable Limits(ReportResults results)
    {
        var table = new MarkdownTable(("limit", false), ("threads", true), ("median", true), ("spread", true));
        foreach (PeakFigure peak in results.Peaks)
            table.Add($"{peak.InstructionSet} multiply-adds, GFLOP/s", $"{peak.Threads}", SpeedTable.Number(peak.Gigaflops.Median, "F1"), Range(peak.Gigaflops, "F1"));
        foreach (BandwidthFigure bandwidth in results.Bandwidths)
            table.Add("reading, GB/s", $"{bandwidth.Threads}", SpeedTable.Number(bandwidth.GigabytesPerSecond.Median, "F1"), Range(bandwidth.GigabytesPerSecond, "F1"));
        return table;
    }

    private static string Startup(ReportResults results)
    {
        if (results.Startup.Count == 0)
            return "Not measured.\n";
        var table = new MarkdownTable(
            ("", false), ("whole process, ms", true), ("first call, ms", true), ("second call, ms", true), ("steady, ms", true), ("second over steady", true));
        foreach (StartupFigure figure in results.Startup)
        {
            table.Add(
                figure.Mode,
                SpeedTable.Milliseconds(figure.ProcessMilliseconds.Median),
                SpeedTable.Milliseconds(figure.FirstMilliseconds.Median),
                SpeedTable.Milliseconds(figure.SecondMilliseconds.Median),
                SpeedTable.Milliseconds(figure.SteadyMilliseconds.Median),
                SpeedTable.Number(figure.SecondMilliseconds.Median / figure.SteadyMilliseconds.Median, "F2"));
        }

        return $"{results.Startup[0].Case}; fresh processes; the whole process makes its inputs and calls once.\n\n{table}";
    }

    private static string Memory(ReportResults results)
    {
        if (results.Memory.Count == 0)
            return "Not measured.\n";
        int[] keys = [.. results.Memory.Select(figure => figure.KeyLength).Distinct().Order()];
        var table = new MarkdownTable([("KiB", false), .. keys.Select(count => ($"{count} keys", true))]);
        foreach (IGrouping<string, MemoryFigure> peer in results.Memory.GroupBy(figure => figure.Peer))
        {
            table.Add([
                peer.Key,
                .. keys.Select(count => peer.SingleOrDefault(figure => figure.KeyLength == count) is { } figure ? SpeedTable.Number(figure.ExtraBytes / 1024.0, "F0") : ""),
            ]);
        }

        return $"How far one call of 128 queries, 8 heads, d = 64 raises the process' peak of resident memory, beyond inputs and output.\n\n{table}";
    }

    private static string InstructionSets(ReportResults results)
    {
        var table = new MarkdownTable(("case", false), ("instruction set", false), ("threads", true), ("ms", true), ("GFLOP/s", true), ("share of its peak", true));
        foreach (CaseFigure figure in results.Figures)
        {
            // "FastAttn Vector128"
            if (figure.Peer.Split(' ') is not ["FastAttn", var name] || !Enum.TryParse(name, out InstructionSet instructionSet))
                continue;
            double peak = results.PeakOf(instructionSet, figure.Threads).Median;
            table.Add(
                figure.Case, name, $"{figure.Threads}", SpeedTable.Milliseconds(figure.Milliseconds.Median), SpeedTable.Number(figure.Gigaflops, "F1"), $"{SpeedTable.Number(100 * figure.Gigaflops / peak, "F0")}%");
        }

        return table.IsEmpty ? "Not measured.\n" : table.ToString();
    }

    private static string List(IEnumerable<string> items, string none)
    {
        string list = string.Concat(items.Select(item => $"- {item}\n"));
        return list.Length == 0 ? none + "\n" : list;
    }

    private static string Range(Spread spread, string format) => $"{SpeedTable.Number(spread.Min, format)}–{SpeedTable.Number(spread.Max, format)}";
}
