using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Serialization;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Results;

/// <summary>All that <c>report</c> measured on one CPU: the contents of <c>results.json</c>.</summary>
/// <param name="SchemaVersion">Changes when a member changes its meaning; see <see cref="CurrentSchema"/>.</param>
/// <param name="Machine">The CPU and what ran on it.</param>
/// <param name="Commit">The commit that was measured, with <c>-dirty</c> where files had changed since.</param>
/// <param name="Date">When the run began.</param>
/// <param name="Rounds">Rounds that were completed.</param>
/// <param name="Peers">Who was measured.</param>
/// <param name="MissingPeers">Who was not, and why.</param>
/// <param name="Peaks">Multiply-add peaks.</param>
/// <param name="Bandwidths">Read bandwidths.</param>
/// <param name="Figures">The matrix.</param>
/// <param name="Memory">Extra memory over the number of keys.</param>
/// <param name="Startup">First calls.</param>
/// <param name="Notes">What a reader must know, such as parts that could not be measured.</param>
internal sealed record ReportResults(
    int SchemaVersion,
    MachineDescription Machine,
    string Commit,
    DateTimeOffset Date,
    int Rounds,
    IReadOnlyList<PeerDescription> Peers,
    IReadOnlyList<string> MissingPeers,
    IReadOnlyList<PeakFigure> Peaks,
    IReadOnlyList<BandwidthFigure> Bandwidths,
    IReadOnlyList<CaseFigure> Figures,
    IReadOnlyList<MemoryFigure> Memory,
    IReadOnlyList<StartupFigure> Startup,
    IReadOnlyList<string> Notes)
{
    public const int CurrentSchema = 1;

    /// <summary>FastAttn's own figures, on its default instruction set.</summary>
    [JsonIgnore]
    public IEnumerable<CaseFigure> Own => Figures.Where(figure => figure.Peer == FastAttnPeer.LibraryName);

    /// <summary>The thread counts of the matrix: one and all, in this order.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> MatrixThreads => [.. new[] { 1, Bandwidths.Max(bandwidth => bandwidth.Threads) }.Distinct()];

    public Spread PeakOf(InstructionSet instructionSet, int threads) =>
        Peaks.Single(peak => peak.InstructionSet == instructionSet && peak.Threads == threads).Gigaflops;

    public Spread BandwidthOf(int threads) => Bandwidths.Single(bandwidth => bandwidth.Threads == threads).GigabytesPerSecond;

    /// <summary>
    /// What bounds a figure of FastAttn: the multiply-add peak, or the read bandwidth where every key is used once; null for
    /// a number of threads whose limits were not measured.
    /// </summary>
    public Spread? LimitOf(CaseFigure figure)
    {
        if (!MatrixThreads.Contains(figure.Threads))
            return null;
        return figure.IsDecode ? BandwidthOf(figure.Threads) : PeakOf(Machine.InstructionSet, figure.Threads);
    }

    /// <summary>The fraction of its limit that a figure of FastAttn reaches.</summary>
    public double? ShareOf(CaseFigure figure) =>
        (figure.IsDecode ? figure.KeyValueGigabytesPerSecond : figure.Gigaflops) / LimitOf(figure)?.Median;

    /// <summary>
    /// The fastest figure of a library for the same case and threads; where it does not take the element of keys and values, for what it has in as many bits. Null where it has neither.
    /// </summary>
    public CaseFigure? FastestOf(string library, CaseFigure like)
    {
        HashSet<string> names = [.. Peers.Where(peer => peer.Library == library).Select(peer => peer.Name)];
        StoredElement counterpart = StoredElements.CounterpartOf(like.Element);
        return Fastest(like.Case) ?? (counterpart == like.Element ? null : Fastest($"{like.CaseOfFloats} {StoredElements.NameOf(counterpart)}"));

        CaseFigure? Fastest(string name) => Figures
            .Where(figure => names.Contains(figure.Peer) && figure.Case == name && figure.Threads == like.Threads)
            .MinBy(figure => figure.Milliseconds.Median);
    }

    /// <summary>Libraries other than FastAttn, in the order of the peers.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> OtherLibraries =>
        [.. Peers.Select(peer => peer.Library).Where(library => !library.StartsWith(FastAttnPeer.LibraryName, StringComparison.Ordinal)).Distinct()];
}
