using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Readme;

/// <summary>The part of a document that results are composed into, between two comments.</summary>
/// <param name="Document">The document's path in the repository.</param>
/// <param name="Compose">The part's text; the argument is the folder of the results' folders.</param>
internal sealed record ReadmeRegion(string Document, Func<string, string> Compose)
{
    public const string Begin = "<!-- benchmarks:begin -->", End = "<!-- benchmarks:end -->";

    /// <summary>A row for each CPU and group of cases, the range over its cases with one thread; and one plot, of the newest results.</summary>
    public static readonly ReadmeRegion Summary = new("README.md", Summarise);

    /// <summary>A table for each CPU and number of threads, and two plots of each CPU.</summary>
    public static readonly ReadmeRegion Tables = new($"{ResultsFolder}/README.md", Tabulate);

    public static readonly IReadOnlyList<ReadmeRegion> All = [Summary, Tables];

    // From the repository's root, where README.md is.
    private const string ResultsFolder = "benchmarks/results";

    private const string Nothing =
        """
        No results of `report` are in the repository yet. Measure your CPU, against other libraries too, in ten minutes:
        `dotnet run -c Release --project benchmarks/FastAttn.Benchmarks -- report`.

        """;

    private static readonly string[] SummaryGroups = [ReportSuite.Prefill, ReportSuite.Causal, ReportSuite.Decode];
    private static readonly string[] TableGroups = [ReportSuite.Prefill, ReportSuite.Causal, ReportSuite.Batch, ReportSuite.Cross, ReportSuite.Decode];

    /// <summary>The document with the region's text composed anew.</summary>
    /// <param name="document">The document's text.</param>
    /// <param name="root">The folder of the results' folders.</param>
    /// <exception cref="InputException">It has no such region.</exception>
    public string Replace(string document, string root)
    {
        int begin = document.IndexOf(Begin, StringComparison.Ordinal), end = document.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
            throw new InputException($"{Document}: has no lines {Begin} and {End}.");
        return $"{document[..(begin + Begin.Length)]}\n{Compose(root)}{document[end..]}";
    }

    private static string Summarise(string root)
    {
        IReadOnlyList<(string Folder, ReportResults Results)> all = ResultsFile.ReadAll(root);
        if (all.Count == 0)
            return Nothing;

        string[] libraries = [.. all.SelectMany(cpu => cpu.Results.OtherLibraries).Distinct().Where(library => all.Any(cpu => SummaryGroups.Any(group => Ratios(cpu.Results, group, library).Length > 0)))];
        var table = new MarkdownTable([("CPU, commit", false), ("one thread", false), ("of the limit", true), .. libraries.Select(library => ($"× {library}", true))]);
        foreach ((_, ReportResults results) in all)
        {
            string cpu = $"{results.Machine.Cpu}, {results.Machine.InstructionSet}, {results.Commit}";
            foreach (string group in SummaryGroups.Where(group => Of(results, group).Length > 0))
            {
                CaseFigure[] figures = Of(results, group);
                string[] shares = [.. figures.OrderBy(results.ShareOf).Select(figure => SpeedTable.Share(results, figure))];
                table.Add([
                    cpu,
                    group,
                    Range(shares),
                    .. libraries.Select(library => Range([.. Ratios(results, group, library).Order().Select(SpeedTable.Ratio)])),
                ]);
                cpu = "";
            }
        }

        return $"What FastAttn reaches of the limit that the same run measured (of the multiply-add peak; for decode of the read bandwidth), and how many\ntimes as fast as other libraries it is, from the worst to the best case of a kind:\n\n{table}\n{NewestPlot(all)}";
    }

    private static string NewestPlot(IReadOnlyList<(string Folder, ReportResults Results)> all)
    {
        (string folder, ReportResults results) = all.MaxBy(static cpu => cpu.Results.Date);
        return $"![Speed relative to each peer, one thread, {results.Machine.Cpu}]({ResultsFolder}/{Path.GetFileName(folder)}/{ReportPlots.RelativeName(1, isOdd: false)}.svg)\n";
    }

    private static CaseFigure[] Of(ReportResults results, string group) => [.. results.Own.Where(figure => figure.Group == group && figure.Threads == 1)];

    /// <summary>Of every case of the group; none where the library lacks one.</summary>
    private static double[] Ratios(ReportResults results, string group, string library)
    {
        CaseFigure[] figures = Of(results, group);
        double?[] ratios = [.. figures.Select(figure => results.FastestOf(library, figure)?.Milliseconds.Median / figure.Milliseconds.Median)];
        return ratios.All(ratio => ratio is not null) ? [.. ratios.Select(ratio => ratio!.Value)] : [];
    }

    private static string Range(string[] ascending) =>
        ascending.Length == 0 ? "" : ascending[0] == ascending[^1] ? ascending[0] : $"{ascending[0].TrimEnd('%')}–{ascending[^1]}";

    private static string Tabulate(string root)
    {
        IReadOnlyList<(string Folder, ReportResults Results)> all = ResultsFile.ReadAll(root);
        if (all.Count == 0)
            return Nothing;

        var text = new StringBuilder(
            """
            How many times as fast as other libraries FastAttn is (× columns; below 1, in bold, it is slower), and what it reaches of the limit that
            the same run measured: of the multiply-add peak, for decode of the read bandwidth. A case is batch × heads × tokens, or queries:keys.
            Empty: too slow to be measured there, or nothing that the library computes.

            """);
        if (all.Any(static cpu => cpu.Results.Figures.Any(static figure => figure.Group == ReportSuite.Cache)))
            text.Append('\n').Append(ReportMarkdown.CacheExplanation);
        foreach ((string folder, ReportResults results) in all)
            text.Append('\n').Append(Cpu(Path.GetFileName(folder), results));
        return text.ToString();
    }

    private static string Cpu(string folder, ReportResults results)
    {
        var text = new StringBuilder($"### {results.Machine.Cpu}\n\n").Append(ReportMarkdown.Machine(results)).Append('\n');
        foreach (int threads in results.MatrixThreads)
        {
            string limits = $"peak {SpeedTable.Number(results.PeakOf(results.Machine.InstructionSet, threads).Median, "F0")} GFLOP/s, reading {SpeedTable.Number(results.BandwidthOf(threads).Median, "F1")} GB/s";
            text.Append($"{ThreadText.Of(threads)} ({limits}):\n\n").Append(SpeedTable.Of(results, threads, figure => TableGroups.Contains(figure.Group))).Append('\n');
            if (CacheTable.Of(results, threads) is { IsEmpty: false } caches)
                text.Append($"Decoding over caches of each element, {ThreadText.Of(threads)}:\n\n").Append(caches).Append('\n');
        }

        int compared = results.Own.Sum(figure => results.OtherLibraries.Count(library => results.FastestOf(library, figure) is not null));
        text.Append($"Of all {compared} comparisons of this run, another library is faster in {SpeedTable.Behind(results).Count()}.\n\n");
        text.Append($"![Speed relative to each peer]({folder}/{ReportPlots.RelativeName(1, isOdd: false)}.svg)\n\n");
        text.Append($"![Share of the peak over tokens]({folder}/{ReportPlots.ShareOfPeak}.svg)\n\n");
        return text.Append($"All figures: [{folder}/report.md]({folder}/report.md).\n").ToString();
    }
}
