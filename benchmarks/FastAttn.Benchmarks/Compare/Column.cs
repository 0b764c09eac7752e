using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Compare;

/// <summary>One of the results that are compared.</summary>
/// <param name="Label">Its folder's name, with the folders above it where others have the same.</param>
/// <param name="Results">Its figures.</param>
internal sealed record Column(string Label, ReportResults Results)
{
    public static Column[] ReadAll(string[] folders)
    {
        string[][] parts = [.. folders.Select(static folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)).Split(Path.DirectorySeparatorChar))];
        int depth = 1;
        while (depth < parts.Max(static part => part.Length) && parts.Select(part => Label(part, depth)).Distinct().Count() < folders.Length)
            depth++;
        return [.. folders.Zip(parts, (folder, part) => new Column(Label(part, depth), ResultsFile.Read(folder)))];

        static string Label(string[] part, int depth) => string.Join('/', part.TakeLast(depth));
    }

    /// <summary>FastAttn's figure of a case, with one thread or with all, where those are several, however many they are there.</summary>
    public CaseFigure? Figure(string @case, bool allThreads)
    {
        int threads = allThreads ? Results.MatrixThreads[^1] : 1;
        return allThreads && threads == 1 ? null : Results.Own.SingleOrDefault(figure => figure.Case == @case && figure.Threads == threads);
    }
}
