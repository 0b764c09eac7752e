using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Report;

/// <summary><c>report</c>: FastAttn against all peers on this CPU, in ten minutes or as many as are given, written to a folder.</summary>
internal static class ReportCommand
{
    private const int DefaultRounds = 7, QuickRounds = 3, DefaultMinutes = 10;

    // For the plots, and for a last round that takes longer than those before it.
    private static readonly TimeSpan Spare = TimeSpan.FromMinutes(0.5);

    // The start-up program is built twice, once as native code, which takes a minute and a half on two slow cores.
    private static readonly TimeSpan StartupTime = TimeSpan.FromMinutes(2);

    public static Command Create()
    {
        Option<int> threads = Options.Positive("--threads", "The largest number of threads that a call may use; one is measured too.", Environment.ProcessorCount);
        var output = new Option<DirectoryInfo?>("--output") { Description = "Folder to write to (benchmarks/results/<cpu>).", HelpName = "DIR" };
        var filter = new Option<string>("--filter") { Description = "Only cases and peers with this text in their name.", DefaultValueFactory = _ => "", HelpName = "TEXT" };
        Option<int> rounds = Options.Positive("--rounds", "Rounds; fewer where the time is over.", DefaultRounds);
        Option<int> minutes = Options.Positive("--minutes", "Minutes that the report may take; at least three rounds are run.", DefaultMinutes);
        var quick = new Option<bool>("--quick") { Description = $"A first look: {QuickRounds} rounds, no long calls, no child processes." };
        var startup = new Option<bool>("--startup") { Description = "Measure first calls and NativeAOT start-up too.", DefaultValueFactory = _ => true };
        var png = new Option<bool>("--png") { Description = "Write the plots as PNG too." };

        var command = new Command("report", "Measures FastAttn against its peers on this CPU and writes results, report and plots.")
        {
            threads, output, filter, rounds, minutes, quick, startup, png,
        };
        command.SetAction(result =>
        {
            bool isQuick = result.GetValue(quick);
            int roundCount = isQuick && result.GetResult(rounds) is null or { Implicit: true } ? QuickRounds : result.GetValue(rounds);
            TimeSpan time = TimeSpan.FromMinutes(result.GetValue(minutes)) - Spare;
            Run(result.GetValue(threads), result.GetValue(output), result.GetValue(filter)!, roundCount, time, isQuick, result.GetValue(startup) && !isQuick, result.GetValue(png));
        });
        return command;
    }

    private static void Run(int threads, DirectoryInfo? output, string filter, int rounds, TimeSpan time, bool quick, bool startup, bool png)
    {
        var deadline = new Deadline(time);
        IReadOnlyList<ReportEntry> entries = ReportSuite.Entries(PeerCatalog.All, threads, filter, quick);
        if (entries.Count == 0)
            throw new InputException($"--filter {filter}: no case or peer has this in its name.");

        DateTimeOffset date = DateTimeOffset.UtcNow;
        MachineDescription machine = MachineReader.Read();
        DirectoryInfo folder = output ?? new DirectoryInfo(Path.Combine(Checkout.Results, CpuFolder.NameOf(machine.Cpu)));
        folder.Create(); // A folder that cannot be created is an error now, not after all has been measured.
        var notes = new List<string>();
        void Say(string text) => Console.Error.WriteLine($"{deadline.Elapsed:mm\\:ss} {text}");

        Say($"{machine.Cpu}, {machine.Processors} processors, to {folder.FullName}");
        foreach (string missing in PeerCatalog.Missing)
            Say($"without {missing}");
        Say(quick ? "no memory part" : "memory");
        IReadOnlyList<MemoryFigure> memory = quick ? [] : MemoryPart.Run(notes);
        var runner = new ReportRunner(entries, threads, rounds, startup ? deadline.Less(StartupTime) : deadline, notes, Console.Error);
        (IReadOnlyList<PeakFigure> peaks, IReadOnlyList<BandwidthFigure> bandwidths, IReadOnlyList<CaseFigure> figures) = runner.Run();
        IReadOnlyList<StartupFigure> startups = startup ? StartupPart.Run(deadline, notes, Say) : [];

        var results = new ReportResults(
            ReportResults.CurrentSchema,
            machine,
            Checkout.Commit(),
            date,
            runner.Rounds,
            [.. PeerCatalog.All.Where(peer => entries.Any(entry => entry.Peer == peer)).Select(peer => new PeerDescription(peer.Name, peer.Library, peer.Version))],
            PeerCatalog.Missing,
            peaks,
            bandwidths,
            figures,
            memory,
            startups,
            notes);
        ResultsFile.Write(results, folder);
        ReportMarkdown.WriteWithPlots(results, folder, png, Console.Error);
        Say($"wrote {folder.FullName}");
    }
}
