using System;

using FastAttn.Benchmarks.Quick;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class SpreadTests
{
    [Fact]
    public void An_odd_number_of_samples_has_a_middle_one() =>
        Assert.Equal(new Spread(Median: 3, Min: 1, Max: 9, LowerQuartile: 2, UpperQuartile: 4), Spread.Of([9, 1, 3, 4, 2]));

    [Fact]
    public void Between_two_samples_quantiles_are_linear() =>
        Assert.Equal(new Spread(Median: 2.5, Min: 1, Max: 4, LowerQuartile: 1.75, UpperQuartile: 3.25), Spread.Of([4, 3, 2, 1]));

    [Fact]
    public void One_sample_is_all() => Assert.Equal(new Spread(7, 7, 7, 7, 7), Spread.Of([7]));

    [Fact]
    public void An_outlier_does_not_move_the_quartile_range() =>
        Assert.Equal(Spread.Of([1, 2, 3, 4, 5]).QuartileRange, Spread.Of([1, 2, 3, 4, 500]).QuartileRange);

    [Fact]
    public void No_sample_is_an_error() => Assert.Throws<ArgumentException>(() => Spread.Of([]));
}
