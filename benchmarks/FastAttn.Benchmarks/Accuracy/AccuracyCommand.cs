using System;
using System.CommandLine;
using System.IO;

using FastAttn.Benchmarks.Processes;

namespace FastAttn.Benchmarks.Accuracy;

/// <summary><c>accuracy</c>: composes the table of <c>docs/numerics.md</c> of what stored keys and values of each element cost.</summary>
internal static class AccuracyCommand
{
    public static Command Create()
    {
        var command = new Command("accuracy", "Measures what keys and values of fewer bits cost in accuracy, and rewrites the table of docs/numerics.md.");
        command.SetAction(static _ =>
        {
            string path = Path.Combine(Checkout.Root, AccuracyTable.Region.Document);
            File.WriteAllText(path, AccuracyTable.Region.Replace(File.ReadAllText(path), Checkout.Results));
            Console.Error.WriteLine($"wrote {path}");
        });
        return command;
    }
}
