using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Serialization;

namespace FastAttn.Benchmarks.Quick;

/// <summary>What is quoted of repeated measurements.</summary>
/// <param name="Median">The middle sample, or the mean of the middle two.</param>
/// <param name="Min">The smallest sample.</param>
/// <param name="Max">The largest sample.</param>
/// <param name="LowerQuartile">A quarter of the samples are below it.</param>
/// <param name="UpperQuartile">A quarter of the samples are above it.</param>
internal readonly record struct Spread(double Median, double Min, double Max, double LowerQuartile, double UpperQuartile)
{
    /// <summary>The width of the middle half of the samples: a few outliers, as a busy machine gives, do not move it.</summary>
    [JsonIgnore]
    public double QuartileRange => UpperQuartile - LowerQuartile;

    public static Spread Of(IEnumerable<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        if (sorted.Length == 0)
            throw new ArgumentException("There is no sample.", nameof(samples));
        return new Spread(Quantile(sorted, 0.5), sorted[0], sorted[^1], Quantile(sorted, 0.25), Quantile(sorted, 0.75));
    }

    /// <summary>With so many decimals, as it is worth keeping in a file.</summary>
    public Spread Rounded(int decimals) => new(
        Math.Round(Median, decimals),
        Math.Round(Min, decimals),
        Math.Round(Max, decimals),
        Math.Round(LowerQuartile, decimals),
        Math.Round(UpperQuartile, decimals));

    // Between two samples a quantile is interpolated linearly.
    private static double Quantile(double[] sorted, double fraction)
    {
        double position = fraction * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }
}
