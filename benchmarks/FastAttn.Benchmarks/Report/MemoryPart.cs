using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Report;

/// <summary>The part of <c>report</c> that measures memory: a process for each peer and number of keys.</summary>
internal static class MemoryPart
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    // With tiers the JIT would replace code in the background, and the memory that it needs would be counted.
    private static readonly Dictionary<string, string> NoTiers = new(StringComparer.Ordinal) { ["DOTNET_TieredCompilation"] = "0" };

    public static IReadOnlyList<MemoryFigure> Run(ICollection<string> notes)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "FastAttn.Benchmarks.exe" : "FastAttn.Benchmarks");
        var figures = new List<MemoryFigure>();
        // Compositions of a few lines of C# are left out: their memory is whatever their author allots.
        foreach (IPeer peer in PeerCatalog.All.Where(peer => peer.Supports(ReportSuite.KeyCase(1)) && peer is not (FastAttnPeer { Requested: not null } or TensorPrimitivesPeer or NaivePeer)))
        {
            foreach (int keys in ReportSuite.KeyLengths)
            {
                ChildResult? child = ChildProcess.Run(program, [MemoryProbe.CommandName, peer.Name, keys.ToString(CultureInfo.InvariantCulture)], Timeout, environment: NoTiers);
                if (child is { ExitCode: 0 } && long.TryParse(child.Output, CultureInfo.InvariantCulture, out long bytes))
                    figures.Add(new MemoryFigure(peer.Name, ReportSuite.KeyCase(keys).Name, keys, bytes));
                else
                    notes.Add($"Memory of {peer.Name} with {keys} keys could not be measured: {FirstLine(child)}");
            }
        }

        return figures;
    }

    private static string FirstLine(ChildResult? child) =>
        child is null ? "the process did not end." : $"exit code {child.ExitCode}. {child.Error.Split('\n')[0]}";
}
