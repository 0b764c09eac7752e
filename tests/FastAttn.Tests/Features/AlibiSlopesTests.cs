using System;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>The slopes of ALiBi's paper, worked by hand.</summary>
public static class AlibiSlopesTests
{
    [Fact]
    public static void Eight_heads_halve_from_one_half_to_one_256th() =>
        Assert.Equal([0.5f, 0.25f, 0.125f, 0.0625f, 0.03125f, 0.015625f, 0.0078125f, 0.00390625f], AlibiSlopes.For(8));

    [Fact]
    public static void Twelve_heads_are_eight_and_every_other_slope_of_sixteen() =>
        Assert.Equal(
            // 2^−0.5, 2^−1.5, 2^−2.5 and 2^−3.5, the first, third, fifth and seventh of 16 heads.
            [0.5f, 0.25f, 0.125f, 0.0625f, 0.03125f, 0.015625f, 0.0078125f, 0.00390625f, 0.70710678f, 0.35355339f, 0.176776695f, 0.088388348f],
            AlibiSlopes.For(12));

    [Fact]
    public static void Few_heads_have_the_last_slopes()
    {
        Assert.Equal([0.00390625f], AlibiSlopes.For(1));
        Assert.Equal([0.0625f, 0.00390625f], AlibiSlopes.For(2));

        // Two heads, then the first of four: 2^−2.
        Assert.Equal([0.0625f, 0.00390625f, 0.25f], AlibiSlopes.For(3));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public static void Fewer_heads_than_one_are_refused(int heads) => Assert.Throws<ArgumentOutOfRangeException>(nameof(heads), () => AlibiSlopes.For(heads));
}
