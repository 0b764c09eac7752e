using FastAttn.Benchmarks.Compare;
using FastAttn.Benchmarks.Quick;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class ChangeTests
{
    private static readonly Spread Limit = Exact(100);

    [Theory]
    [InlineData(10, 10.2, "WithinNoise")] // 2%, below the minimum that counts
    [InlineData(10, 11, "Slower")]
    [InlineData(11, 10, "Faster")]
    public void Without_noise_three_percent_counts(double before, double after, string verdict) =>
        Assert.Equal(verdict, Change.Of(Exact(before), Limit, Exact(after), Limit).Verdict.ToString());

    [Theory]
    [InlineData(0.01, "Slower")] // quartile ranges of 2% each
    [InlineData(0.05, "WithinNoise")] // of 10% each
    public void A_change_counts_beyond_the_sum_of_the_quartile_ranges(double fraction, string verdict) =>
        Assert.Equal(verdict, Change.Of(SampleResults.Around(10, fraction), Limit, SampleResults.Around(11.5, fraction), Limit).Verdict.ToString());

    [Fact]
    public void A_noisy_limit_is_noise_too() =>
        Assert.Equal(Verdict.WithinNoise, Change.Of(Exact(10), SampleResults.Around(100, 0.1), Exact(11.5), Limit).Verdict);

    [Fact]
    public void A_slower_machine_is_no_slower_kernel()
    {
        Change change = Change.Of(Exact(10), Exact(100), Exact(20), Exact(50));
        Assert.Equal(Verdict.WithinNoise, change.Verdict);
        Assert.Equal(1, change.Ratio);
    }

    private static Spread Exact(double value) => Spread.Of([value]);
}
