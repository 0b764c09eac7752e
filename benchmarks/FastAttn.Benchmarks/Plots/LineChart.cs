using System.Collections.Generic;
using System.Linq;

using ScottPlot;
using ScottPlot.Plottables;

namespace FastAttn.Benchmarks.Plots;

/// <summary>Lines over a scale.</summary>
internal sealed class LineChart
{
    public const int Width = 820, Height = 500;

    private readonly Axis _x;
    private readonly Axis _y;
    private int _series;

    public LineChart(string title, string xTitle, Axis x, string yTitle, Axis y)
    {
        (_x, _y) = (x, y);
        Plot = Frame.Create(title, xTitle, yTitle);
        Plot.Axes.Bottom.TickGenerator = x.Ticks();
        Plot.Axes.Left.TickGenerator = y.Ticks();
        // The markers at both ends need room.
        const double Margin = 0.03;
        double dx = Margin * (x.Max - x.Min), dy = Margin * (y.Max - y.Min);
        Plot.Axes.SetLimits(x.Min - dx, x.Max + dx, y.Min - dy, y.Max + dy);
        Plot.ShowLegend(Edge.Right);
    }

    public Plot Plot { get; }

    public void Add(Series series, bool isConnected = true)
    {
        Scatter line = Plot.Add.Scatter(Place(series.Points));
        line.LegendText = series.Name;
        line.Color = Palette.ColorOf(_series);
        line.MarkerShape = Palette.MarkerOf(_series);
        line.MarkerSize = 9;
        line.MarkerStyle.LineWidth = 2;
        line.LineWidth = isConnected ? 2 : 0; // The SVG writer cannot write dashed lines.
        _series++;
    }

    /// <summary>A line that is no measurement.</summary>
    public void AddGuide(string name, params IReadOnlyList<(double X, double Y)> points)
    {
        Scatter line = Plot.Add.Scatter(Place(points));
        line.LegendText = name;
        line.Color = Palette.Guide;
        line.MarkerSize = 0;
        line.LineWidth = 2;
    }

    private Coordinates[] Place(IEnumerable<(double X, double Y)> points) =>
        [.. points.Select(point => new Coordinates(_x.At(point.X), _y.At(point.Y)))];
}
