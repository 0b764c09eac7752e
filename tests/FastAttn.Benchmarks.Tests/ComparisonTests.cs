using System;
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
        Assert.Contains("No regression beyond noise.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_difference_within_noise_is_not_marked()
    {
        Spread noisy = SampleResults.Around(11.5, 0.1);
        string text = Compare(SampleResults.Create(), SampleResults.Create(prefill: noisy));

        Assert.EndsWith("| 0.87 |", Row(text, SampleResults.Prefill), StringComparison.Ordinal);
        Assert.Contains("No regression beyond noise.", text, StringComparison.Ordinal);
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
