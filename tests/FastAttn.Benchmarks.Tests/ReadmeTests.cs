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
    public void The_documents_are_what_the_command_would_write() => Assert.All(ReadmeRegion.All, region =>
    {
        string document = File.ReadAllText(Path.Combine(Checkout.Root, region.Document));

        Assert.Equal(region.Replace(document, Checkout.Results), document);
    });

    [Fact]
    public void What_the_tables_link_to_is_what_the_report_writes()
    {
        using var root = new TemporaryFolder();
        DirectoryInfo folder = root.Sub(Path.Combine("benchmarks", "results", "sample-cpu"));
        ReportResults results = SampleResults.Create();
        ResultsFile.Write(results, folder);
        IReadOnlyList<NamedPlot> plots = ReportPlots.Of(results);
        ReportMarkdown.Write(results, plots, folder);
        Assert.SkipUnless(PlotFile.WriteAll(plots, folder, png: false, TextWriter.Null), "There is no font to draw plots with.");

        Assert.Equal(3, Links(ReadmeRegion.Tables, folder.Parent!.FullName, root.Path).Length);
        Assert.Single(Links(ReadmeRegion.Summary, folder.Parent!.FullName, root.Path));
        foreach (string link in ReadmeRegion.All.SelectMany(region => Links(region, folder.Parent!.FullName, root.Path).Concat(Links(region, Checkout.Results, Checkout.Root))))
            Assert.True(File.Exists(link), link);
    }

    [Fact]
    public void Without_results_it_says_so_and_what_to_run()
    {
        using var folder = new TemporaryFolder();
        Assert.All(ReadmeRegion.All, region =>
        {
            string none = region.Compose(Path.Combine(folder.Path, "results"));

            Assert.StartsWith("No results of `report` are in the repository yet.", none, StringComparison.Ordinal);
            Assert.Contains("-- report`", none, StringComparison.Ordinal);
            Assert.Equal(none, region.Compose(folder.Path));
        });
    }

    [Fact]
    public void With_results_it_has_a_table_for_each_number_of_threads_and_two_plots()
    {
        using var folder = new TemporaryFolder();
        ResultsFile.Write(SampleResults.Create(), folder.Sub("sample-cpu"));

        string region = ReadmeRegion.Tables.Compose(folder.Path);

        Assert.Contains("### Sample CPU\n", region, StringComparison.Ordinal);
        Assert.Contains($"1 thread (peak 100 GFLOP/s, reading 20.0 GB/s):\n\n| case |", region, StringComparison.Ordinal);
        // 10 ms against the faster of the library's two, 12 ms; 53.7 GFLOP/s of 100.
        Assert.Contains($"| {SampleResults.Prefill} | 10.00 | 9.80–10.20 | 53.7 | 54% | 1.20 |", region, StringComparison.Ordinal);
        Assert.Contains("2 threads (peak 200 GFLOP/s", region, StringComparison.Ordinal);
        Assert.Contains($"(sample-cpu/{ReportPlots.RelativeName(1, isOdd: false)}.svg)", region, StringComparison.Ordinal);
        Assert.Contains($"(sample-cpu/{ReportPlots.ShareOfPeak}.svg)", region, StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_has_the_range_of_each_group_with_one_thread()
    {
        using var folder = new TemporaryFolder();
        ReportResults results = SampleResults.Create();
        CaseFigure[] prefill = [.. results.Figures.Where(static figure => figure.Case == SampleResults.Prefill)];
        ResultsFile.Write(results with { Figures = [.. results.Figures, .. prefill.Select(static figure => Slower(figure))] }, folder.Sub("sample-cpu"));

        string region = ReadmeRegion.Summary.Compose(folder.Path);

        // Prefill: 53.7 and 26.8 GFLOP/s of 100; 12 ms over 10, 15 over 20. Decode: 13.4 GB/s of 20, and the library has no figure.
        Assert.EndsWith(
            """
            | CPU, commit | one thread | of the limit | × ONNX Runtime |
            | --- | --- | ---: | ---: |
            | Sample CPU, Avx2, 0123456789ab | prefill | 27–54% | **0.75**–1.20 |
            |  | decode | 67% of bandwidth |  |

            ![Speed relative to each peer, one thread, Sample CPU](benchmarks/results/sample-cpu/speed-1-thread.svg)

            """,
            region,
            StringComparison.Ordinal);

        static CaseFigure Slower(CaseFigure figure) => figure with
        {
            Case = "prefill other",
            Milliseconds = SampleResults.Quiet(figure.Peer.StartsWith("ONNX", StringComparison.Ordinal) ? 15 : 20),
        };
    }

    [Fact]
    public void Summary_plots_the_newest_results()
    {
        using var folder = new TemporaryFolder();
        ReportResults results = SampleResults.Create();
        ResultsFile.Write(results, folder.Sub("a-cpu"));
        ResultsFile.Write(results with { Date = results.Date.AddDays(1) }, folder.Sub("b-cpu"));
        ResultsFile.Write(results with { Date = results.Date.AddDays(-1) }, folder.Sub("c-cpu"));

        string region = ReadmeRegion.Summary.Compose(folder.Path);

        Assert.Equal(["benchmarks/results/b-cpu/speed-1-thread.svg"], Links(region));
    }

    [Fact]
    public void Only_the_region_is_replaced()
    {
        var region = new ReadmeRegion("a.md", static _ => "new\n");
        string document = $"before\n{ReadmeRegion.Begin}\nold\n{ReadmeRegion.End}\nafter\n";

        Assert.Equal($"before\n{ReadmeRegion.Begin}\nnew\n{ReadmeRegion.End}\nafter\n", region.Replace(document, "results"));
        Assert.StartsWith("a.md: ", Assert.Throws<InputException>(() => region.Replace("no region", "results")).Message, StringComparison.Ordinal);
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

    /// <summary>The files that a region links to, relative to its document's folder.</summary>
    private static string[] Links(ReadmeRegion region, string results, string root) =>
        [.. Links(region.Compose(results)).Select(link => Path.Combine(root, Path.GetDirectoryName(region.Document)!, link))];

    private static string[] Links(string text) => [.. text.Split("](").Skip(1).Select(rest => rest.Split(')')[0])];
}
