using System;

using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Compare;

/// <summary>A case before and after, each set against the limit that its own run measured.</summary>
/// <param name="Ratio">How many times as fast it is after: above 1 is faster.</param>
/// <param name="Noise">The fraction by which the ratio may differ from 1 by chance.</param>
internal readonly record struct Change(double Ratio, double Noise)
{
    /// <summary>A smaller difference counts as noise, however quiet the runs were.</summary>
    private const double MinNoise = 0.03;

    public Verdict Verdict =>
        Ratio < 1 - Noise ? Verdict.Slower
        : Ratio > 1 + Noise ? Verdict.Faster
        : Verdict.WithinNoise;

    /// <summary>
    /// Compares shares of the limit, since the machine's own speed differs between days. The noise is the sum of the four
    /// relative quartile ranges. For a normal distribution a quartile range is 1.35 σ and the median of seven samples strays
    /// by 0.5 σ, so two equal runs of equal noise and a steady limit differ by so much once in some 10,000 cases.
    /// </summary>
    /// <param name="before">Time of a call.</param>
    /// <param name="limitBefore">The rate that bounds it.</param>
    /// <param name="after">Time of a call.</param>
    /// <param name="limitAfter">The rate that bounds it.</param>
    public static Change Of(Spread before, Spread limitBefore, Spread after, Spread limitAfter)
    {
        double ratio = before.Median * limitBefore.Median / (after.Median * limitAfter.Median);
        double noise = Relative(before) + Relative(limitBefore) + Relative(after) + Relative(limitAfter);
        return new Change(ratio, Math.Max(MinNoise, noise));
    }

    private static double Relative(Spread spread) => spread.QuartileRange / spread.Median;
}
