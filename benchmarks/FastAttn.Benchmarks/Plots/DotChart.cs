using System.Collections.Generic;
using System.Linq;

using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace FastAttn.Benchmarks.Plots;

/// <summary>A row for each case, a dot for each series in it (Cleveland's dot plot): many cases stay legible.</summary>
internal sealed class DotChart
{
    public const int Width = 900;
    private const int RowHeight = 18, Surroundings = 130;

    private readonly IReadOnlyList<string> _rows;
    private readonly Axis _x;
    private int _series;

    public DotChart(string title, string xTitle, Axis x, IReadOnlyList<string> rows)
    {
        (_x, _rows) = (x, rows);
        Plot = Frame.Create(title, xTitle, "");
        Plot.Axes.Bottom.TickGenerator = x.Ticks();
        Plot.Axes.Left.TickGenerator = new NumericManual([.. rows.Select((_, i) => (double)-i)], [.. rows]);
        Plot.Axes.Left.MajorTickStyle.Length = 0;
        const double Margin = 0.02;
        double dx = Margin * (x.Max - x.Min);
        Plot.Axes.SetLimits(x.Min - dx, x.Max + dx, 0.7 - rows.Count, 0.7);
        Plot.ShowLegend(Edge.Right);
    }

    public Plot Plot { get; }

    public int Height => Surroundings + RowHeight * _rows.Count;

    /// <summary>Values by row; rows without one have no dot.</summary>
    public void Add(string name, IEnumerable<(string Row, double Value)> values)
    {
        Dictionary<string, int> places = _rows.Select((row, i) => (row, i)).ToDictionary(place => place.row, place => place.i);
        Coordinates[] points =
            [.. values.Where(value => places.ContainsKey(value.Row)).Select(value => new Coordinates(_x.At(value.Value), -places[value.Row]))];
        Scatter dots = Plot.Add.ScatterPoints(points);
        dots.LegendText = name;
        dots.Color = Palette.ColorOf(_series);
        dots.MarkerShape = Palette.MarkerOf(_series);
        dots.MarkerSize = 9;
        dots.MarkerStyle.LineWidth = 2;
        _series++;
    }

    /// <summary>A vertical line at a value that divides good from bad.</summary>
    public void AddLine(double value)
    {
        VerticalLine line = Plot.Add.VerticalLine(_x.At(value));
        line.Color = Palette.Guide;
        line.LineWidth = 2;
    }
}
