using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Readme;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class ReadmeTests
{
    [Fact]
    public void The_readme_is_what_the_command_would_write()
    {
        string readme = File.ReadAllText(Path.Combine(Checkout.Root, "README.md"));

        Assert.Equal(ReadmeRegion.Replace(readme, ReadmeRegion.Compose(Checkout.Results)), readme);
    }

    [Fact]
    public void What_the_readme_links_to_is_what_the_report_writes()
    {
        using var root = new TemporaryFolder();
        DirectoryInfo folder = root.Sub(Path.Combine("benchmarks", "results", "sample-cpu"));
        ReportResults results = SampleResults.Create();
        ResultsFile.Write(results, folder);
        IReadOnlyList<NamedPlot> plots = ReportPlots.Of(results);
        ReportMarkdown.Write(results, plots, folder);
        Assert.SkipUnless(PlotFile.WriteAll(plots, folder, png: false, TextWriter.Null), "There is no font to draw plots with.");

        string[] links = Links(ReadmeRegion.Compose(folder.Parent!.FullName));

        Assert.Equal(3, links.Length);
        Assert.All(links, link => Assert.True(File.Exists(Path.Combine(root.Path, link)), link));
        Assert.All(Links(ReadmeRegion.Compose(Checkout.Results)), link => Assert.True(File.Exists(Path.Combine(Checkout.Root, link)), link));
    }

    [Fact]
    public void Without_results_it_says_so_and_what_to_run()
    {
        using var folder = new TemporaryFolder();
        string none = ReadmeRegion.Compose(Path.Combine(folder.Path, "results"));

        Assert.StartsWith("No results of `report` are in the repository yet.", none, StringComparison.Ordinal);
        Assert.Contains("-- report`", none, StringComparison.Ordinal);
        Assert.Equal(none, ReadmeRegion.Compose(folder.Path));
    }

    [Fact]
    public void With_results_it_has_a_table_for_each_number_of_threads_and_two_plots()
    {
        using var folder = new TemporaryFolder();
        ResultsFile.Write(SampleResults.Create(), folder.Sub("sample-cpu"));

        string region = ReadmeRegion.Compose(folder.Path);

        Assert.Contains("### Sample CPU\n", region, StringComparison.Ordinal);
        Assert.Contains($"1 thread (peak 100 GFLOP/s, reading 20.0 GB/s):\n\n| case |", region, StringComparison.Ordinal);
        // 10 ms against the faster of the library's two, 12 ms; 53.7 GFLOP/s of 100.
        Assert.Contains($"| {SampleResults.Prefill} | 10.00 | 9.80–10.20 | 53.7 | 54% | 1.20 |", region, StringComparison.Ordinal);
        Assert.Contains("2 threads (peak 200 GFLOP/s", region, StringComparison.Ordinal);
        Assert.Contains($"(benchmarks/results/sample-cpu/{ReportPlots.RelativeName(1, isOdd: false)}.svg)", region, StringComparison.Ordinal);
        Assert.Contains($"(benchmarks/results/sample-cpu/{ReportPlots.ShareOfPeak}.svg)", region, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_region_is_replaced()
    {
        string document = $"before\n{ReadmeRegion.Begin}\nold\n{ReadmeRegion.End}\nafter\n";

        Assert.Equal($"before\n{ReadmeRegion.Begin}\nnew\n{ReadmeRegion.End}\nafter\n", ReadmeRegion.Replace(document, "new\n"));
        Assert.Throws<InputException>(() => ReadmeRegion.Replace("no region", "new\n"));
    }

    [Fact]
    public void A_case_that_a_peer_wins_is_bold_and_listed()
    {
        ReportResults results = SampleResults.Create(onnxPrefill: 8);

        string report = ReportMarkdown.Compose(results, []);

        Assert.Contains("| **0.80** |", report, StringComparison.Ordinal);
        Assert.Contains($"- {SampleResults.Prefill}, 1 thread: ONNX Runtime A takes 8.00 ms, FastAttn 10.00 ms\n", report, StringComparison.Ordinal);
        Assert.DoesNotContain("Nowhere.", report, StringComparison.Ordinal);
        Assert.Contains("Nowhere.", ReportMarkdown.Compose(SampleResults.Create(), []), StringComparison.Ordinal);
    }

    private static string[] Links(string text) => [.. text.Split("](").Skip(1).Select(rest => rest.Split(')')[0])];
}
