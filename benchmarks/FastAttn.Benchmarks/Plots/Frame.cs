using System;
using System.Linq;

using ScottPlot;

using SkiaSharp;

namespace FastAttn.Benchmarks.Plots;

/// <summary>What all plots look like.</summary>
internal static class Frame
{
    // A sans serif font that the usual systems have. An SVG file only names it, and its viewer takes a font of its own for this name.
    private static readonly string[] FontsByPreference = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Segoe UI", "Helvetica", "Arial"];

    private static readonly string Font =
        FontsByPreference.Intersect(SKFontManager.Default.FontFamilies, StringComparer.OrdinalIgnoreCase).FirstOrDefault() ?? Fonts.Default;

    public static Plot Create(string title, string xTitle, string yTitle)
    {
        var plot = new Plot();
        plot.Title(title, size: 17);
        plot.XLabel(xTitle, size: 14);
        plot.YLabel(yTitle, size: 14);
        plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        plot.Font.Set(Font);
        plot.Axes.Bottom.TickLabelStyle.FontSize = 13;
        plot.Axes.Left.TickLabelStyle.FontSize = 13;
        plot.Legend.FontSize = 13;
        plot.Legend.FontName = Font;
        plot.Legend.ShadowColor = Colors.Transparent;
        plot.Legend.OutlineColor = Colors.Transparent;
        plot.Grid.MajorLineColor = Color.FromHex("#DDDDDD");
        return plot;
    }
}
