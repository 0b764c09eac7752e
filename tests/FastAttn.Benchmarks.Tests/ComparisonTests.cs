using System;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Compare;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Results;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class ComparisonTests
{
    [Fact]
    public void A_regression_is_marked_and_listed_and_what_is_steady_is_not()
    {
        string text = Compare(SampleResults.Create(), SampleResults.Create(prefill: SampleResults.Quiet(13)));

        // 10 ms to 13 ms on the same limit.
        Assert.Contains("▼ 0.77 |", Row(text, SampleResults.Prefill), StringComparison.Ordinal);
        Assert.EndsWith("| 1.00 |", Row(text, SampleResults.Decode), StringComparison.Ordinal);
        Assert.Contains($"- {SampleResults.Prefill}, one thread: ▼ 0.77", text, StringComparison.Ordinal);
        Assert.DoesNotContain($"- {SampleResults.Decode}", text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_improvement_is_marked()
    {
        string text = Compare(SampleResults.Create(), SampleResults.Create(prefill: SampleResults.Quiet(8)));

        Assert.Contains("▲ 1.25 |", Row(text, SampleResults.Prefill), StringComparison.Ordinal);
        Assert.Contains("No regression beyond noise among the ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_difference_within_noise_is_not_marked()
    {
        Spread noisy = SampleResults.Around(11.5, 0.1);
        string text = Compare(SampleResults.Create(), SampleResults.Create(prefill: noisy));

        Assert.EndsWith("| 0.87 |", Row(text, SampleResults.Prefill), StringComparison.Ordinal);
        Assert.Contains("No regression beyond noise among the ", text, StringComparison.Ordinal);
    }

    /// <summary>Two threads against one say nothing of the code.</summary>
    [Fact]
    public void Runs_with_other_numbers_of_threads_share_the_figures_of_one_thread()
    {
        ReportResults two = SampleResults.Create(), one = two with
        {
            Figures = [.. two.Figures.Where(static figure => figure.Threads == 1)],
            Bandwidths = [.. two.Bandwidths.Where(static figure => figure.Threads == 1)],
        };
        string text = Compare(two, one);

        Assert.Contains("No regression beyond noise among the 4 figures that both have.", text, StringComparison.Ordinal);
        Assert.Contains("| r0 | Sample CPU | 1, 2 |", text, StringComparison.Ordinal);
        Assert.Contains("| r1 | Sample CPU | 1 |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_of_one_name_are_told_apart_by_those_above()
    {
        using var folder = new TemporaryFolder();
        string[] folders = [Path.Combine(folder.Path, "before", "cpu"), Path.Combine(folder.Path, "after", "cpu")];
        foreach (string results in folders)
            ResultsFile.Write(SampleResults.Create(), new DirectoryInfo(results));

        Assert.Equal(["before/cpu", "after/cpu"], Column.ReadAll(folders).Select(static column => column.Label));
    }

    [Fact]
    public void Across_CPUs_there_are_shares_of_each_ones_limit_and_no_verdicts()
    {
        string text = Compare(SampleResults.Create("One"), SampleResults.Create("Other", peak: 60));

        // 53.7 GFLOP/s of 100 and of 60.
        Assert.Equal($"| {SampleResults.Prefill} | 53.7 | 54% | 53.7 | 89% |", Row(text, SampleResults.Prefill));
        // 13.4 GB/s of 20.
        Assert.Contains("67% of bandwidth", Row(text, SampleResults.Decode), StringComparison.Ordinal);
        Assert.DoesNotContain("change", text, StringComparison.Ordinal);
    }

    private static string Compare(params ReportResults[] results) =>
        new Comparison([.. results.Select((result, i) => new Column($"r{i}", result))]).ToMarkdown();

    // The first: one thread.
    private static string Row(string text, string @case) => text.Split('\n').First(line => line.StartsWith($"| {@case} |", StringComparison.Ordinal));
}
