using System;
using System.CommandLine;
using System.IO;

using FastAttn.Benchmarks.Processes;

namespace FastAttn.Benchmarks.Readme;

/// <summary><c>readme</c>: composes README.md's tables from the committed results.</summary>
internal static class ReadmeCommand
{
    public static Command Create()
    {
        var command = new Command("readme", "Rewrites the benchmark tables of README.md from benchmarks/results.");
        command.SetAction(_ =>
        {
            string path = Path.Combine(Checkout.Root, "README.md");
            File.WriteAllText(path, ReadmeRegion.Replace(File.ReadAllText(path), ReadmeRegion.Compose(Checkout.Results)));
            Console.Error.WriteLine($"wrote {path}");
        });
        return command;
    }
}
