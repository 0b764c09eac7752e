using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Readme;

/// <summary>The part of README.md that results are composed into.</summary>
internal static class ReadmeRegion
{
    public const string Begin = "<!-- benchmarks:begin -->", End = "<!-- benchmarks:end -->";

    private static readonly string[] Groups = [ReportSuite.Prefill, ReportSuite.Causal, ReportSuite.Batch, ReportSuite.Cross, ReportSuite.Decode];

    /// <summary>A table for each CPU with results, and two plots of it; what to run where there are none.</summary>
    /// <param name="root">The folder of the results' folders.</param>
    public static string Compose(string root)
    {
        IReadOnlyList<(string Folder, ReportResults Results)> all = ResultsFile.ReadAll(root);
        if (all.Count == 0)
        {
            return """
                No results of `report` are in the repository yet. Measure your CPU, against other libraries too, in ten minutes:
                `dotnet run -c Release --project benchmarks/FastAttn.Benchmarks -- report`.

                """;
        }

        var text = new StringBuilder(
            """
            How many times as fast as other libraries FastAttn is (× columns; below 1, in bold, it is slower), and what it reaches of the limit that
            the same run measured: of the multiply-add peak, for decode of the read bandwidth. A case is batch × heads × tokens, or queries:keys.
            Empty: too slow to be measured there.

            """);
        foreach ((string folder, ReportResults results) in all)
            text.Append('\n').Append(Cpu(Path.GetFileName(folder), results));
        return text.ToString();
    }

    /// <summary>The document with the region's text replaced.</summary>
    /// <exception cref="InputException">It has no such region.</exception>
    public static string Replace(string document, string region)
    {
        int begin = document.IndexOf(Begin, StringComparison.Ordinal), end = document.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
            throw new InputException($"README.md: has no lines {Begin} and {End}.");
        return $"{document[..(begin + Begin.Length)]}\n{region}{document[end..]}";
    }

    private static string Cpu(string folder, ReportResults results)
    {
        var text = new StringBuilder($"### {results.Machine.Cpu}\n\n").Append(ReportMarkdown.Machine(results)).Append('\n');
        foreach (int threads in results.MatrixThreads)
        {
            string limits = $"peak {SpeedTable.Number(results.PeakOf(results.Machine.InstructionSet, threads).Median, "F0")} GFLOP/s, reading {SpeedTable.Number(results.BandwidthOf(threads).Median, "F1")} GB/s";
            text.Append($"{ThreadText.Of(threads)} ({limits}):\n\n").Append(SpeedTable.Of(results, threads, figure => Groups.Contains(figure.Group))).Append('\n');
        }

        int compared = results.Own.Sum(figure => results.OtherLibraries.Count(library => results.FastestOf(library, figure) is not null));
        text.Append($"Of all {compared} comparisons, those of odd sizes, short calls and masks included, another library is faster in {SpeedTable.Behind(results).Count()}.\n\n");
        string path = $"benchmarks/results/{folder}";
        text.Append($"![Speed relative to each peer]({path}/{ReportPlots.RelativeName(1, isOdd: false)}.svg)\n\n");
        text.Append($"![Share of the peak over tokens]({path}/{ReportPlots.ShareOfPeak}.svg)\n\n");
        return text.Append($"All figures: [{path}/report.md]({path}/report.md).\n").ToString();
    }
}
