using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Compare;

/// <summary>One of the results that are compared.</summary>
/// <param name="Label">Its folder's name.</param>
/// <param name="Results">Its figures.</param>
internal sealed record Column(string Label, ReportResults Results)
{
    public static Column Read(string folder) =>
        new(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))), ResultsFile.Read(folder));

    /// <summary>FastAttn's figure of a case, with one thread or with all, however many those are there.</summary>
    public CaseFigure? Figure(string @case, bool allThreads)
    {
        int threads = allThreads ? Results.MatrixThreads[^1] : 1;
        return Results.Own.SingleOrDefault(figure => figure.Case == @case && figure.Threads == threads);
    }
}
