using System;
using System.CommandLine;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Plots;

namespace FastAttn.Benchmarks.Compare;

/// <summary><c>compare</c>: two or more results folders in one table, and as plots.</summary>
internal static class CompareCommand
{
    public static Command Create()
    {
        var folders = new Argument<string[]>("folders") { Description = "Folders that report has written; before first.", Arity = new ArgumentArity(2, 100) };
        var output = new Option<DirectoryInfo?>("--output") { Description = "Also write compare.md and the plots to this folder.", HelpName = "DIR" };
        var png = new Option<bool>("--png") { Description = "Write the plots as PNG too." };
        var command = new Command("compare", "Sets results side by side, absolute and as shares of each CPU's own limits.") { folders, output, png };
        command.SetAction(result => Run(result.GetValue(folders)!, result.GetValue(output), result.GetValue(png)));
        return command;
    }

    private static void Run(string[] folders, DirectoryInfo? output, bool png)
    {
        var comparison = new Comparison(Column.ReadAll(folders));
        string text = comparison.ToMarkdown();
        Console.Out.Write(text);
        if (output is null)
            return;
        output.Create();
        File.WriteAllText(Path.Combine(output.FullName, "compare.md"), text);
        PlotFile.WriteAll(comparison.Plots(), output, png, Console.Error);
    }
}
