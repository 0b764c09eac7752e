using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Compare;

/// <summary>Several results side by side: across CPUs, or one CPU over time.</summary>
internal sealed class Comparison(IReadOnlyList<Column> columns)
{
    private bool IsSameCpu => columns.All(column => column.Results.Machine.Cpu == columns[0].Results.Machine.Cpu);

    /// <summary>Cases in the order of the first results that have them.</summary>
    private IReadOnlyList<string> Cases => [.. columns.SelectMany(column => column.Results.Own.Select(figure => figure.Case)).Distinct()];

    private IReadOnlyList<bool> ThreadChoices => columns.Any(column => column.Results.MatrixThreads.Count > 1) ? [false, true] : [false];

    public string ToMarkdown()
    {
        var text = new StringBuilder("# Comparison\n\n").Append(Machines()).Append('\n');
        foreach (bool allThreads in ThreadChoices)
            text.Append($"## {(allThreads ? "All threads" : "One thread")}\n\n").Append(Table(allThreads)).Append('\n');
        if (IsSameCpu)
        {
            text.Append("`change` is the speed of the last column over that of the first, each relative to the limit that its own run measured. ")
                .Append("A change beyond the runs' noise (the quartile ranges of times and limits, at least 3%) is marked: ▼ slower, ▲ faster.\n\n");
            string slower = string.Concat(Slower().Select(line => $"- {line}\n"));
            string compared = $"among the {ThreadChoices.Sum(allThreads => Cases.Count(@case => ChangeOf(@case, allThreads) is not null))} figures that both have";
            text.Append(slower.Length == 0 ? $"No regression beyond noise {compared}.\n" : $"Regressions beyond noise, {compared}:\n\n{slower}");
        }

        return text.ToString();
    }

    public IReadOnlyList<NamedPlot> Plots() => [.. ThreadChoices.SelectMany(allThreads => new[] { Absolute(allThreads), Shares(allThreads) })];

    private MarkdownTable Machines()
    {
        var table = new MarkdownTable(("results", false), ("CPU", false), ("threads", true), ("peak, GFLOP/s", true), ("reading, GB/s", true), ("commit", false), ("date", false));
        foreach ((string label, ReportResults results) in columns)
        {
            table.Add(
                label,
                results.Machine.Cpu,
                string.Join(", ", results.MatrixThreads),
                string.Join(", ", results.MatrixThreads.Select(count => SpeedTable.Number(results.PeakOf(results.Machine.InstructionSet, count).Median, "F0"))),
                string.Join(", ", results.MatrixThreads.Select(count => SpeedTable.Number(results.BandwidthOf(count).Median, "F1"))),
                results.Commit,
                FormattableString.Invariant($"{results.Date:yyyy-MM-dd}"));
        }

        return table;
    }

    private MarkdownTable Table(bool allThreads)
    {
        var table = new MarkdownTable([
            ("case", false),
            .. columns.SelectMany(column => new[] { ($"{column.Label}: GFLOP/s", true), ("of its limit", true) }),
            .. IsSameCpu ? new[] { ("change", true) } : []]);
        foreach (string @case in Cases)
        {
            CaseFigure?[] figures = [.. columns.Select(column => column.Figure(@case, allThreads))];
            if (figures.All(figure => figure is null))
                continue;
            table.Add([
                @case,
                .. columns.Zip(figures, Cells).SelectMany(cells => cells),
                .. IsSameCpu ? new[] { ChangeOf(@case, allThreads) is { } change ? Text(change) : "" } : []]);
        }

        return table;
    }

    private static string[] Cells(Column column, CaseFigure? figure) =>
        figure is null ? ["", ""] : [SpeedTable.Number(figure.Gigaflops, "F1"), SpeedTable.Share(column.Results, figure)];

    private Change? ChangeOf(string @case, bool allThreads)
    {
        Column before = columns[0], after = columns[^1];
        return before.Figure(@case, allThreads) is { } then && after.Figure(@case, allThreads) is { } now && then.Threads == now.Threads
            && before.Results.LimitOf(then) is { } limitThen && after.Results.LimitOf(now) is { } limitNow
            ? Change.Of(then.Milliseconds, limitThen, now.Milliseconds, limitNow)
            : null;
    }

    private IEnumerable<string> Slower() =>
        from allThreads in ThreadChoices
        from @case in Cases
        let change = ChangeOf(@case, allThreads)
        where change?.Verdict == Verdict.Slower
        select $"{@case}, {(allThreads ? "all threads" : "one thread")}: {Text(change.Value)}";

    private static string Text(Change change)
    {
        string ratio = SpeedTable.Number(change.Ratio, "F2");
        return change.Verdict switch
        {
            Verdict.Slower => $"▼ {ratio}",
            Verdict.Faster => $"▲ {ratio}",
            _ => ratio,
        };
    }

    private NamedPlot Absolute(bool allThreads)
    {
        Axis x = Axis.LogarithmicAround(columns.SelectMany(column => Values(column, allThreads, figure => figure.Gigaflops)).Select(value => value.Value));
        return Dots("absolute", "Speed", "GFLOP/s", x, allThreads, figure => figure.Gigaflops, "What each CPU computes.");
    }

    private NamedPlot Shares(bool allThreads)
    {
        // A share may be a little above 100%, where the clock rose after the limit was measured.
        double max = columns.Max(column => Values(column, allThreads, figure => 100 * column.Results.ShareOf(figure)).Select(value => value.Value).DefaultIfEmpty(0).Max());
        return Dots(
            "share", "Share of each CPU's own limit", "share of the measured peak, for decode of the read bandwidth", Axis.Linear(Math.Max(100, max), 20, "%"), allThreads, null, "How near FastAttn comes to each CPU's own limits.");
    }

    private NamedPlot Dots(string name, string title, string xTitle, Axis x, bool allThreads, Func<CaseFigure, double?>? value, string message)
    {
        string threads = allThreads ? "all threads" : "one thread";
        string[] rows = [.. Cases.Where(@case => columns.Any(column => column.Figure(@case, allThreads) is not null))];
        var chart = new DotChart($"{title}, {threads}", xTitle, x, rows);
        foreach (Column column in columns)
            chart.Add(column.Label, Values(column, allThreads, value ?? (figure => 100 * column.Results.ShareOf(figure))));
        return new NamedPlot($"compare-{name}-{threads.Replace(' ', '-')}", message, chart.Plot, DotChart.Width, chart.Height);
    }

    private IEnumerable<(string Row, double Value)> Values(Column column, bool allThreads, Func<CaseFigure, double?> value) =>
        from @case in Cases
        let figure = column.Figure(@case, allThreads)
        where figure is not null
        let number = value(figure)
        where number is not null
        select (@case, number.Value);
}
