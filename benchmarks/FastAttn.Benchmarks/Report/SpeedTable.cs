using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

using FastAttn.Benchmarks.Results;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Report;

/// <summary>FastAttn's figures beside how many times as fast as each library it is.</summary>
internal static class SpeedTable
{
    public static MarkdownTable Of(ReportResults results, int threads, Func<CaseFigure, bool> isChosen)
    {
        CaseFigure[] figures = [.. results.Own.Where(figure => figure.Threads == threads && isChosen(figure))];
        string[] libraries = [.. results.OtherLibraries.Where(library => figures.Any(figure => results.FastestOf(library, figure) is not null))];
        var table = new MarkdownTable([
            ("case", false), ("ms", true), ("spread", true), ("GFLOP/s", true), ("of the limit", true), .. libraries.Select(library => ($"× {library}", true))]);
        foreach (CaseFigure figure in figures)
        {
            table.Add([
                figure.Case,
                Milliseconds(figure.Milliseconds.Median),
                $"{Milliseconds(figure.Milliseconds.Min)}–{Milliseconds(figure.Milliseconds.Max)}",
                Number(figure.Gigaflops, "F1"),
                Share(results, figure),
                .. libraries.Select(library => Ratio(results.FastestOf(library, figure), figure)),
            ]);
        }

        return table;
    }

    /// <summary>The cases in which a library is faster, as sentences.</summary>
    public static IEnumerable<string> Behind(ReportResults results) =>
        from figure in results.Own
        from library in results.OtherLibraries
        let other = results.FastestOf(library, figure)
        where other is not null && other.Milliseconds.Median < figure.Milliseconds.Median
        let element = other.Element == figure.Element ? "" : $" over {StoredElements.NameOf(other.Element)}"
        select $"{figure.Case}, {ThreadText.Of(figure.Threads)}: {other.Peer} takes {Milliseconds(other.Milliseconds.Median)} ms{element}, FastAttn {Milliseconds(figure.Milliseconds.Median)} ms";

    public static string Milliseconds(double value) => Number(value, value < 1 ? "F4" : value < 100 ? "F2" : "F0");

    public static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>A fraction in percent, and of what where that is not the peak.</summary>
    public static string Share(ReportResults results, CaseFigure figure) =>
        results.ShareOf(figure) is { } share ? $"{Number(100 * share, "F0")}%{(figure.IsDecode ? " of bandwidth" : "")}" : "";

    /// <summary>How many times as fast as another library FastAttn is; in bold where it is slower, unless that is 1.00 to two places.</summary>
    public static string Ratio(double ratio)
    {
        string text = Number(ratio, ratio < 9.95 ? "F2" : "F0");
        return ratio < 0.995 ? $"**{text}**" : text;
    }

    private static string Ratio(CaseFigure? other, CaseFigure own) => other is null ? "" : Ratio(other.Milliseconds.Median / own.Milliseconds.Median);
}
