using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Report;

/// <summary>
/// The part of <c>report</c> that measures first calls: builds the program FastAttn.Startup for the JIT and as native
/// code, outside the checkout, and runs each several times.
/// </summary>
internal static class StartupPart
{
    private const int Repetitions = 5;
    private const string Case = "prefill 1x8x512 d64, 1 thread";

    private static readonly string[] Linkers = ["clang", "gcc"];

    // A build gets this time even where that of the report is over.
    private static readonly TimeSpan MinBuildTime = TimeSpan.FromSeconds(30);

    // The program takes two seconds. One that hangs is ended after this time.
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    public static IReadOnlyList<StartupFigure> Run(Deadline deadline, ICollection<string> notes, Action<string> progress)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("fastattn-startup-");
        try
        {
            var figures = new List<StartupFigure>();
            progress("start-up: JIT");
            Add("JIT", "--self-contained", "false");
            if (MissingLinker() is { } missing)
            {
                notes.Add($"NativeAOT start-up is not measured: {missing}");
            }
            else
            {
                progress("start-up: NativeAOT");
                Add("NativeAOT", "-p:StartupNative=true");
            }

            return figures;

            void Add(string mode, params string[] settings)
            {
                string output = Path.Combine(folder.FullName, mode);
                string[] arguments =
                [
                    "publish", Path.Combine(Checkout.Root, "benchmarks", "FastAttn.Startup"), "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier,
                    "--artifacts-path", Path.Combine(folder.FullName, "artifacts", mode), "-o", output, "-p:RunAnalyzers=false", .. settings,
                ];
                ChildResult? build = ChildProcess.Run(
                    Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments, deadline.IsTooCloseFor(MinBuildTime) ? MinBuildTime : deadline.Remaining);
                string program = Path.Combine(output, OperatingSystem.IsWindows() ? "FastAttn.Startup.exe" : "FastAttn.Startup");
                if (build is not { ExitCode: 0 })
                    notes.Add($"{mode} start-up is not measured: {FirstError(build)}");
                else if (Measure(mode, program) is { } figure)
                    figures.Add(figure);
                else
                    notes.Add($"{mode} start-up is not measured: the program failed.");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static StartupFigure? Measure(string mode, string program)
    {
        List<double> process = [], first = [], second = [], steady = [];
        for (int i = 0; i < Repetitions; i++)
        {
            if (ChildProcess.Run(program, ["once"], Timeout) is not { ExitCode: 0 } once || ChildProcess.Run(program, [], Timeout) is not { ExitCode: 0 } whole)
                return null;
            process.Add(once.Duration.TotalMilliseconds);
            double[] times = [.. whole.Output.Split(' ').Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
            first.Add(times[0]);
            second.Add(times[1]);
            steady.Add(times[2]);
        }

        return new StartupFigure(mode, Case, Figure(process), Figure(first), Figure(second), Figure(steady));
    }

    private static Spread Figure(List<double> milliseconds) => Spread.Of(milliseconds).Rounded(3);

    private static string? MissingLinker()
    {
        if (!OperatingSystem.IsLinux())
            return null;
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return Linkers.Any(linker => folders.Any(folder => File.Exists(Path.Combine(folder, linker))))
            ? null
            : "there is neither clang nor gcc, one of which links native programs.";
    }

    private static string FirstError(ChildResult? build) =>
        build is null
            ? "the SDK did not start, or its build did not end in the time that was left."
            : build.Output.Split('\n').FirstOrDefault(line => line.Contains("error", StringComparison.OrdinalIgnoreCase))?.Trim().Replace(Checkout.Root, "", StringComparison.Ordinal) ?? $"exit code {build.ExitCode}.";
}
