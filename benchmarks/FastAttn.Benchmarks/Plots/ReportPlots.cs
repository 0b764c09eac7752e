using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Plots;

/// <summary>The plots of one CPU's results, each only where its figures were measured.</summary>
internal static class ReportPlots
{
    public const string Roofline = "roofline", ShareOfPeak = "share-of-peak", TimeOverKeys = "time-over-keys", MemoryOverKeys = "memory-over-keys";

    private const string KeysTitle = "keys; 128 queries, 8 heads, d = 64";

    public static IReadOnlyList<NamedPlot> Of(ReportResults results)
    {
        IEnumerable<NamedPlot?> plots =
        [
            RooflinePlot(results),
            ShareOfPeakPlot(results),
            .. results.MatrixThreads.Select(threads => RelativePlot(results, threads, isOdd: false)),
            .. results.MatrixThreads.Select(threads => RelativePlot(results, threads, isOdd: true)),
            ScalingPlot(results),
            TimeOverKeysPlot(results),
            MemoryOverKeysPlot(results),
        ];
        return [.. plots.OfType<NamedPlot>()];
    }

    public static string RelativeName(int threads, bool isOdd) => $"speed-{(isOdd ? "odd-" : "")}{ThreadText.Of(threads).Replace(' ', '-')}";

    private static NamedPlot? RooflinePlot(ReportResults results)
    {
        CaseFigure[] figures = [.. results.Own.Where(figure => figure.Threads == 1)];
        if (figures.Length == 0)
            return null;
        double peak = results.PeakOf(results.Machine.InstructionSet, 1).Median, bandwidth = results.BandwidthOf(1).Median;
        double ridge = peak / bandwidth;
        Axis x = Axis.LogarithmicAround([.. figures.Select(figure => figure.Intensity), ridge]);
        Axis y = Axis.LogarithmicAround([.. figures.Select(figure => figure.Gigaflops), 1.2 * peak]);
        double left = Math.Pow(10, x.Min), right = Math.Pow(10, x.Max);

        var chart = new LineChart(
            $"Roofline, one thread: {results.Machine.Cpu}",
            "arithmetic intensity: operations a byte of Q, K, V and O", x, "GFLOP/s", y);
        chart.AddGuide($"limits: {peak:F0} GFLOP/s of {results.Machine.InstructionSet}\nand {bandwidth:F1} GB/s of reading", (left, left * bandwidth), (ridge, peak), (right, peak));
        foreach (IGrouping<string, CaseFigure> group in figures.GroupBy(figure => figure.Group))
            chart.Add(new Series(group.Key, [.. group.Select(figure => (figure.Intensity, figure.Gigaflops))]), isConnected: false);
        return new NamedPlot(
            Roofline, "How near FastAttn comes to what the core can compute and read.", chart.Plot, LineChart.Width, LineChart.Height);
    }

    private static NamedPlot? ShareOfPeakPlot(ReportResults results)
    {
        // Odd sizes extend a line below the lengths of prefill only. They have half the heads, so that among those lengths they would make it zigzag.
        CaseFigure[] prefill = [.. results.Own.Where(figure => figure is { Threads: 1, Group: ReportSuite.Prefill })];
        CaseFigure[] figures =
        [
            .. prefill,
            .. results.Own.Where(figure => figure is { Threads: 1, Group: ReportSuite.Odd } && !Array.Exists(prefill, other => other.HeadDim == figure.HeadDim && other.QueryLength <= figure.QueryLength)),
        ];
        if (figures.Length == 0)
            return null;
        // A share exceeds 100% only where the machine was slower while it measured the peak.
        double max = figures.Max(figure => 100 * results.ShareOf(figure)!.Value);
        var chart = new LineChart(
            $"Share of the {results.Machine.InstructionSet} peak, no mask, one thread",
            "tokens L", Axis.Logarithmic(figures.Select(figure => (double)figure.QueryLength).Distinct().Where(static length => length != 1000)), // The tick of 1024 would touch that of 1000.
            "share of the measured multiply-add peak", Axis.Linear(Math.Max(100, max), 10, "%"));
        foreach (IGrouping<int, CaseFigure> dim in figures.GroupBy(figure => figure.HeadDim).OrderBy(dim => dim.Key))
        {
            chart.Add(new Series(
                $"d = {dim.Key}", [.. dim.OrderBy(figure => figure.QueryLength).Select(figure => ((double)figure.QueryLength, 100 * results.ShareOf(figure)!.Value))]));
        }

        return new NamedPlot(
            ShareOfPeak, "Which head dimensions and lengths reach the core's peak.", chart.Plot, LineChart.Width, LineChart.Height);
    }

    // The odd sizes, a third of all cases, have a plot of their own. The cases of keys are in the plot of time over keys instead, those of caches in a table.
    private static NamedPlot? RelativePlot(ReportResults results, int threads, bool isOdd)
    {
        CaseFigure[] own =
            [.. results.Own.Where(figure => figure.Threads == threads && figure.Group is not (ReportSuite.Keys or ReportSuite.Cache) && figure.Group == ReportSuite.Odd == isOdd)];
        List<(string Library, List<(string Row, double Value)> Values)> series =
        [
            .. results.OtherLibraries.Select(library => (library, own
                .Select(figure => (Own: figure, Other: results.FastestOf(library, figure)))
                .Where(pair => pair.Other is not null)
                .Select(pair => (pair.Own.Case, pair.Other!.Milliseconds.Median / pair.Own.Milliseconds.Median))
                .ToList())),
        ];
        series.RemoveAll(entry => entry.Values.Count == 0);
        if (series.Count == 0)
            return null;

        string[] rows = [.. own.Select(figure => figure.Case).Where(row => series.Exists(entry => entry.Values.Exists(value => value.Row == row)))];
        Axis x = Axis.LogarithmicAround([.. series.SelectMany(entry => entry.Values.Select(value => value.Value)), 1], "×");
        var chart = new DotChart(
            $"Speed of FastAttn relative to each peer{(isOdd ? " at odd sizes" : "")}, {ThreadText.Of(threads)}",
            "time of the peer over FastAttn's; right of the line FastAttn is faster", x, rows);
        chart.AddLine(1);
        foreach ((string library, List<(string Row, double Value)> values) in series)
            chart.Add(library, values);
        return new NamedPlot(
            RelativeName(threads, isOdd),
            $"Where FastAttn is faster than each peer{(isOdd ? " at odd sizes" : "")}, and where it is not, with {ThreadText.Of(threads)}.",
            chart.Plot,
            DotChart.Width,
            chart.Height);
    }

    private static NamedPlot? ScalingPlot(ReportResults results)
    {
        CaseFigure[] figures = [.. results.Figures.Where(figure => figure.Case == ReportSuite.Scaled.Name)];
        int max = figures.Select(figure => figure.Threads).DefaultIfEmpty(1).Max();
        if (max == 1)
            return null;
        int step = Math.Max(1, max / 8);
        var chart = new LineChart(
            $"Speed over threads: {ReportSuite.Scaled.Name}", "threads", Axis.Linear(max, step), "speed relative to one thread", Axis.Linear(max, step, "×"));
        chart.AddGuide("as many times as threads", (1, 1), (max, max));
        foreach (IGrouping<string, CaseFigure> peer in figures.GroupBy(figure => figure.Peer))
        {
            CaseFigure[] points = [.. peer.OrderBy(figure => figure.Threads)];
            if (points is [{ Threads: 1 } one, _, ..])
                chart.Add(new Series(peer.Key, [.. points.Select(figure => ((double)figure.Threads, one.Milliseconds.Median / figure.Milliseconds.Median))]));
        }

        return new NamedPlot("scaling", "What more threads bring.", chart.Plot, LineChart.Width, LineChart.Height);
    }

    private static NamedPlot? TimeOverKeysPlot(ReportResults results)
    {
        CaseFigure[] figures = [.. results.Figures.Where(figure => figure is { Group: ReportSuite.Keys, Threads: 1 })];
        CaseFigure[] own = [.. figures.Where(figure => figure.Peer == FastAttnPeer.LibraryName).OrderBy(figure => figure.KeyLength)];
        if (own.Length < 2)
            return null;
        double rate = own[^1].Milliseconds.Median / own[^1].KeyLength;
        Axis x = Axis.Logarithmic(own.Select(figure => (double)figure.KeyLength));
        var chart = new LineChart(
            "Time over keys, one thread",
            KeysTitle, x, "milliseconds a call", Axis.LogarithmicAround(figures.Select(figure => figure.Milliseconds.Median)));
        chart.AddGuide("in proportion to the keys", [.. own.Select(figure => ((double)figure.KeyLength, rate * figure.KeyLength))]);
        foreach (IGrouping<string, CaseFigure> peer in figures.GroupBy(figure => figure.Peer))
            chart.Add(new Series(peer.Key, [.. peer.OrderBy(figure => figure.KeyLength).Select(figure => ((double)figure.KeyLength, figure.Milliseconds.Median))]));
        return new NamedPlot(TimeOverKeys, "Time grows in proportion to the number of keys.", chart.Plot, LineChart.Width, LineChart.Height);
    }

    private static NamedPlot? MemoryOverKeysPlot(ReportResults results)
    {
        if (results.Memory.Count == 0)
            return null;
        // Memory grows by whole pages, so that less than one cannot be seen.
        const double Page = 4096, Megabyte = 1 << 20;
        Axis x = Axis.Logarithmic(results.Memory.Select(figure => (double)figure.KeyLength).Distinct());
        Axis y = Axis.LogarithmicAround(results.Memory.Select(figure => Math.Max(Page, figure.ExtraBytes) / Megabyte));
        var chart = new LineChart("Extra memory over keys, one thread", KeysTitle, x, "MiB beyond inputs and output", y);
        foreach (IGrouping<string, MemoryFigure> peer in results.Memory.GroupBy(figure => figure.Peer))
            chart.Add(new Series(peer.Key, [.. peer.OrderBy(figure => figure.KeyLength).Select(figure => ((double)figure.KeyLength, figure.ExtraBytes / Megabyte))]));
        return new NamedPlot(MemoryOverKeys, "How much memory a call needs beyond inputs and output, over the number of keys.", chart.Plot, LineChart.Width, LineChart.Height);
    }
}
