using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

using ScottPlot;
using ScottPlot.TickGenerators;

namespace FastAttn.Benchmarks.Plots;

/// <summary>A scale of a plot: where a value stands, and what its ticks say.</summary>
internal sealed class Axis
{
    private static readonly int[] Digits = [1, 2, 5];

    private readonly bool _isLogarithmic;
    private readonly IReadOnlyList<double> _ticks;
    private readonly string _unit;

    private Axis(bool isLogarithmic, IReadOnlyList<double> ticks, string unit)
    {
        _isLogarithmic = isLogarithmic;
        _ticks = ticks;
        _unit = unit;
    }

    /// <summary>Equal steps from 0 to at least <paramref name="max"/>.</summary>
    public static Axis Linear(double max, double step, string unit = "") =>
        new(isLogarithmic: false, [.. Enumerable.Range(0, (int)Math.Ceiling(max / step - 1e-9) + 1).Select(i => i * step)], unit);

    /// <summary>A tick at each number; equal factors are equally far apart.</summary>
    public static Axis Logarithmic(IEnumerable<double> ticks, string unit = "") => new(isLogarithmic: true, [.. ticks.Order()], unit);

    /// <summary>The numbers 1, 2 and 5 times powers of ten around all values, or those powers alone where there would be many.</summary>
    public static Axis LogarithmicAround(IEnumerable<double> values, string unit = "")
    {
        const int MaxTicks = 10;
        const double MinFactor = 2.5; // The texts of nearer ticks would touch.
        double[] positive = [.. values.Where(value => value > 0).DefaultIfEmpty(1)];
        int low = (int)Math.Floor(Math.Log10(positive.Min())), high = (int)Math.Ceiling(Math.Log10(positive.Max()));
        double[] all = [.. from power in Enumerable.Range(low, high - low + 1) from digit in Digits select digit * Math.Pow(10, power)];
        // One tick beyond the values on either side.
        double min = all.Where(tick => tick <= positive.Min()).Max(), max = all.Where(tick => tick >= positive.Max()).Min();
        double[] inside = [.. all.Where(tick => tick >= min && tick <= max)];
        if (inside.Length > MaxTicks)
            inside = [.. inside.Where(tick => tick == min || tick == max || (IsPowerOfTen(tick) && tick > MinFactor * min && MinFactor * tick < max))];
        return Logarithmic(inside, unit);

        static bool IsPowerOfTen(double tick) => Math.Abs(Math.Log10(tick) - Math.Round(Math.Log10(tick))) < 1e-9;
    }

    public double Min => At(_ticks[0]);

    public double Max => At(_ticks[^1]);

    /// <summary>The coordinate of a value; what is too small for a logarithmic scale stands at its lower end.</summary>
    public double At(double value) => _isLogarithmic ? Math.Log10(Math.Max(value, _ticks[0])) : value;

    public ITickGenerator Ticks() => new NumericManual(
        [.. _ticks.Select(At)], [.. _ticks.Select(tick => tick.ToString("#,0.####", CultureInfo.InvariantCulture) + _unit)]);
}
