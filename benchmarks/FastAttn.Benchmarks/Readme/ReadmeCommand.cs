using System;
using System.CommandLine;
using System.IO;

using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Readme;

/// <summary>
/// <c>readme</c>: composes the table and the plot of README.md, the tables of benchmarks/results/README.md, and each folder's tables and plots, from the committed results.
/// </summary>
internal static class ReadmeCommand
{
    public static Command Create()
    {
        var command = new Command("readme", "Rewrites the figures of README.md and of benchmarks/results, from each results.json there.");
        command.SetAction(_ =>
        {
            foreach ((string folder, ReportResults results) in ResultsFile.ReadAll(Checkout.Results))
                ReportMarkdown.WriteWithPlots(results, new DirectoryInfo(folder), png: false, Console.Error);
            foreach (ReadmeRegion region in ReadmeRegion.All)
            {
                string path = Path.Combine(Checkout.Root, region.Document);
                File.WriteAllText(path, region.Replace(File.ReadAllText(path), Checkout.Results));
                Console.Error.WriteLine($"wrote {path}");
            }
        });
        return command;
    }
}
