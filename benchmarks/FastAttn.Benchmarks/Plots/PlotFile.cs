using System.Collections.Generic;
using System.IO;

using SkiaSharp;

namespace FastAttn.Benchmarks.Plots;

/// <summary>Writes plots: as SVG, a tenth of the size, and as PNG for whatever shows no SVG.</summary>
internal static class PlotFile
{
    // PNG files have twice the pixels, for screens of twice the usual density.
    private const int PngScale = 2;

    /// <param name="plots">All plots.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="png">Whether as PNG too.</param>
    /// <param name="error">Takes a line where text cannot be drawn, and nothing is written.</param>
    public static bool WriteAll(IEnumerable<NamedPlot> plots, DirectoryInfo folder, bool png, TextWriter error)
    {
        // Without a font the plots would silently lack all text.
        if (SKFontManager.Default.FontFamilyCount == 0)
        {
            error.WriteLine("There is no font, so no plots are written: install one, such as Debian's package fonts-dejavu-core.");
            return false;
        }

        folder.Create();
        foreach (NamedPlot plot in plots)
        {
            plot.Plot.ScaleFactor = 1;
            plot.Plot.SaveSvg(Path.Combine(folder.FullName, plot.Name + ".svg"), plot.Width, plot.Height);
            if (!png)
                continue;
            plot.Plot.ScaleFactor = PngScale;
            plot.Plot.SavePng(Path.Combine(folder.FullName, plot.Name + ".png"), PngScale * plot.Width, PngScale * plot.Height);
        }

        return true;
    }
}
