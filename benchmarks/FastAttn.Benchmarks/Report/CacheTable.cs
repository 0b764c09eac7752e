using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Results;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Report;

/// <summary>Steps of decoding over caches of each element, whether FastAttn takes the element or only another library does.</summary>
internal static class CacheTable
{
    public static MarkdownTable Of(ReportResults results, int threads)
    {
        CaseFigure[] figures = [.. results.Figures.Where(figure => figure.Group == ReportSuite.Cache && figure.Threads == threads)];
        string[] libraries = [.. results.OtherLibraries.Where(library => figures.Any(figure => results.FastestOf(library, figure) is not null))];
        var table = new MarkdownTable([
            ("case", false), ("element", false), ("ms", true), ("GB/s", true), ("of the bandwidth", true), ("of the time of float32", true),
            .. libraries.SelectMany(static library => new[] { ($"{library}, ms", true), ($"× {library}", true) })]);
        double bandwidth = results.BandwidthOf(threads).Median;
        foreach (CaseFigure figure in figures.DistinctBy(static figure => figure.Case))
        {
            CaseFigure? own = Own(figure.Case), floats = Own(figure.CaseOfFloats);
            table.Add([
                figure.CaseOfFloats,
                StoredElements.NameOf(figure.Element),
                own is null ? "" : SpeedTable.Milliseconds(own.Milliseconds.Median),
                own is null ? "" : SpeedTable.Number(own.KeyValueGigabytesPerSecond, "F1"),
                own is null ? "" : $"{SpeedTable.Number(100 * own.KeyValueGigabytesPerSecond / bandwidth, "F0")}%",
                own is null || floats is null ? "" : SpeedTable.Number(own.Milliseconds.Median / floats.Milliseconds.Median, "F2"),
                .. libraries.SelectMany(library => Cells(results.FastestOf(library, figure), own)),
            ]);
        }

        return table;

        CaseFigure? Own(string name) => figures.SingleOrDefault(figure => figure.Case == name && figure.Peer == FastAttnPeer.LibraryName);
    }

    private static string[] Cells(CaseFigure? other, CaseFigure? own) =>
        other is null ? ["", ""] : [SpeedTable.Milliseconds(other.Milliseconds.Median), own is null ? "" : SpeedTable.Ratio(other.Milliseconds.Median / own.Milliseconds.Median)];
}
