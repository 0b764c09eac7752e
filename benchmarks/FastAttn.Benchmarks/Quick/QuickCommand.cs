using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Quick;

/// <summary><c>quick</c>: the table of all cases, in some three minutes.</summary>
internal static class QuickCommand
{
    private const int DefaultRounds = 9;

    public static Command Create()
    {
        var json = new Option<FileInfo?>("--json") { Description = "Also write the cases to this file, one JSON object a line.", HelpName = "FILE" };
        var threads = new Option<int>("--threads") { Description = "Threads that a call may use.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var isa = new Option<InstructionSet?>("--isa") { Description = "Run this instruction set only.", HelpName = "NAME" };
        var rounds = new Option<int>("--rounds") { Description = "Rounds; fewer for a first look.", DefaultValueFactory = _ => DefaultRounds, HelpName = "N" };
        var filter = new Option<string>("--filter") { Description = "Only cases with this text in their name or instruction set.", DefaultValueFactory = _ => "", HelpName = "TEXT" };
        threads.Validators.Add(Options.RequirePositive);
        rounds.Validators.Add(Options.RequirePositive);
        isa.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, [.. InstructionSets.Supported.Select(supported => supported.ToString())]);

        var command = new Command("quick", "Measures the peak of this CPU and the share of it that attention, projections and whole layers reach.")
        {
            json,
            threads,
            isa,
            rounds,
            filter,
        };
        command.SetAction(result => Run(
            result.GetValue(json),
            result.GetValue(threads),
            result.GetValue(isa),
            result.GetValue(rounds),
            result.GetValue(filter)!));
        return command;
    }

    private static void Run(FileInfo? json, int threads, InstructionSet? isa, int rounds, string filter)
    {
        IReadOnlyList<QuickRow> cases =
            [.. QuickSuite.Cases(Chosen(isa)).Where(@case => @case.FullName.Contains(filter, StringComparison.OrdinalIgnoreCase))];
        if (cases.Count == 0)
            throw new InputException($"--filter {filter}: no case has this in its name.");

        if (GgmlLibrary.Missing is { } reason && cases.Any(static @case => @case is PeerRow))
            Console.Error.WriteLine($"without {GgmlPeer.LibraryName}: {reason}");
        using FileStream? stream = json?.Create();
        QuickResult result = new QuickRunner(cases, threads, rounds, Console.Error).Run();
        QuickReport.Write(Console.Out, result);
        if (stream is not null)
            JsonLines.Write(stream, result.Cases);
    }

    private static IReadOnlyList<InstructionSet> Chosen(InstructionSet? only) =>
        only is { } isa ? [isa] : [.. InstructionSets.Supported.Prepend(InstructionSets.Default).Distinct()];
}
