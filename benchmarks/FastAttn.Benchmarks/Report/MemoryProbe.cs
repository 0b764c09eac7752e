using System;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Peers;

namespace FastAttn.Benchmarks.Report;

/// <summary>
/// The child process of <see cref="MemoryPart"/>: makes the inputs, warms up on one key, calls once and prints by how many
/// bytes the peak of its resident memory has risen.
/// </summary>
internal static class MemoryProbe
{
    public const string CommandName = "memory-probe";

    public static Command Create()
    {
        var peer = new Argument<string>("peer");
        var keys = new Argument<int>("keys");
        var command = new Command(CommandName) { peer, keys };
        command.Hidden = true;
        command.SetAction(result => Console.WriteLine(Measure(result.GetValue(peer)!, result.GetValue(keys)).ToString(CultureInfo.InvariantCulture)));
        return command;
    }

    private static long Measure(string name, int keys)
    {
        IPeer peer = PeerCatalog.All.Single(peer => peer.Name == name);
        AttentionCase @case = ReportSuite.KeyCase(keys);
        var buffers = new AttentionBuffers(
            AttentionBuffers.QueryElements(@case.Shape, @case.HeadDim), AttentionBuffers.KeyElements(@case.Shape, @case.HeadDim));
        peer.Bind(ReportSuite.KeyCase(1), buffers, threads: 1)();
        Action call = peer.Bind(@case, buffers, threads: 1);

        ResetPeak();
        long before = Peak();
        call();
        return Peak() - before;
    }

    // Linux can set the peak back to what is in use. Elsewhere a call is seen only as far as it exceeds the peak of all that ran before it.
    private static void ResetPeak()
    {
        const string ClearReferences = "/proc/self/clear_refs", ResetPeakResidentSet = "5";
        if (File.Exists(ClearReferences))
            File.WriteAllText(ClearReferences, ResetPeakResidentSet);
    }

    private static long Peak()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
