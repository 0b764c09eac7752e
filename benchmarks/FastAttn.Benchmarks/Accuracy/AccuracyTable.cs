using System.Collections.Generic;
using System.Globalization;
using System.Linq;

using FastAttn.Benchmarks.Readme;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Accuracy;

/// <summary>The table of <c>docs/numerics.md</c>: a row for each element, two columns for each distribution.</summary>
internal static class AccuracyTable
{
    public static readonly ReadmeRegion Region = new("docs/numerics.md", static _ => Compose(AccuracyMeasurement.Measure([InstructionSets.Default])[0]));

    public static string Compose(IReadOnlyList<AccuracyFigure> figures)
    {
        KeyDistribution[] distributions = [.. figures.Select(static figure => figure.Distribution).Distinct()];
        var table = new MarkdownTable([
            ("keys and values", false), .. distributions.SelectMany(static distribution => new[] { (NameOf(distribution), true), ("over exact arithmetic", true) })]);
        foreach (IGrouping<StoredElement, AccuracyFigure> row in figures.GroupBy(static figure => figure.Element))
        {
            table.Add([
                StoredElements.NameOf(row.Key),
                .. row.SelectMany(static figure => new[] { Error(figure.Error), figure.Ratio?.ToString("F3", CultureInfo.InvariantCulture) ?? "–" }),
            ]);
        }

        return table.ToString();
    }

    private static string NameOf(KeyDistribution distribution) => distribution switch
    {
        KeyDistribution.Normal => "keys N(0, 1)",
        KeyDistribution.LargeChannels => "with large channels",
        _ => "with means",
    };

    /// <summary>Two digits and a power of ten, as in 3.0·10⁻⁴.</summary>
    private static string Error(double error)
    {
        string[] parts = error.ToString("0.0e0", CultureInfo.InvariantCulture).Split('e');
        return $"{parts[0]}·10{string.Concat(parts[1].Select(static digit => digit == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit - '0']))}";
    }
}
