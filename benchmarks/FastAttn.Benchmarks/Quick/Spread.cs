using System;
using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Benchmarks.Quick;

/// <summary>What is quoted of repeated measurements.</summary>
internal readonly record struct Spread(double Median, double Min, double Max)
{
    /// <summary>The median is the middle sample, or the mean of the middle two.</summary>
    public static Spread Of(IEnumerable<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        if (sorted.Length == 0)
            throw new ArgumentException("There is no sample.", nameof(samples));
        double median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        return new Spread(median, sorted[0], sorted[^1]);
    }
}
