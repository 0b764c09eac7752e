using System;
using System.CommandLine;
using System.IO;

using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Readme;

/// <summary><c>readme</c>: composes README.md's tables, and each folder's tables and plots, from the committed results.</summary>
internal static class ReadmeCommand
{
    public static Command Create()
    {
        var command = new Command("readme", "Rewrites the tables of README.md, and the tables and plots of benchmarks/results, from the results.json there.");
        command.SetAction(_ =>
        {
            foreach ((string folder, ReportResults results) in ResultsFile.ReadAll(Checkout.Results))
                ReportMarkdown.WriteWithPlots(results, new DirectoryInfo(folder), png: false, Console.Error);
            string path = Path.Combine(Checkout.Root, "README.md");
            File.WriteAllText(path, ReadmeRegion.Replace(File.ReadAllText(path), ReadmeRegion.Compose(Checkout.Results)));
            Console.Error.WriteLine($"wrote {path}");
        });
        return command;
    }
}
