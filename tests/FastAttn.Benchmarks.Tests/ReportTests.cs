using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Compare;
using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Plots;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;
using FastAttn.Benchmarks.Stored;
using FastAttn.Benchmarks.Suites;
using FastAttn.Measurement;

using SkiaSharp;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class ReportTests
{
    [Fact]
    public void Case_names_are_unique() => Assert.Distinct(ReportSuite.Cases.Select(@case => @case.Name));

    [Fact]
    public void Every_case_is_in_one_suite()
    {
        // What an element of a cache costs is asked of report and quick; most methods of a suite would have no figure.
        IEnumerable<PeerBenchmarks> suites = typeof(PeerBenchmarks).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(PeerBenchmarks)))
            .Select(type => (PeerBenchmarks)Activator.CreateInstance(type)!);

        Assert.Equal(ReportSuite.Cases.Where(static @case => @case.Group != ReportSuite.Cache).Order(ByName), suites.SelectMany(suite => suite.Cases).Order(ByName));
    }

    private static readonly Comparer<AttentionCase> ByName = Comparer<AttentionCase>.Create((a, b) => string.CompareOrdinal(a.Name, b.Name));

    [Fact]
    public void FastAttn_runs_every_case_with_one_thread_and_with_all()
    {
        IReadOnlyList<ReportEntry> entries = ReportSuite.Entries(PeerCatalog.All, threads: 6, filter: "", quick: false);

        Assert.All(ReportSuite.Cases.Where(PeerCatalog.FastAttn.Supports), @case =>
        {
            int[] threads = [.. entries.Where(entry => entry.Case == @case && entry.Peer == PeerCatalog.FastAttn).Select(entry => entry.Threads)];
            Assert.Contains(1, threads);
            Assert.Contains(6, threads);
        });
        Assert.All(ReportSuite.Cases.Where(static @case => !PeerCatalog.FastAttn.Supports(@case)), static @case => Assert.Equal(StoredElement.Int4, @case.Element));
        Assert.Equal([1, 2, 4, 6], entries.Where(entry => entry.Peer == PeerCatalog.FastAttn).Select(entry => entry.Threads).Distinct().Order());
    }

    [Fact]
    public void The_peers_of_a_case_follow_each_other()
    {
        IReadOnlyList<ReportEntry> entries = ReportSuite.Entries(PeerCatalog.All, threads: 1, filter: "", quick: false);

        // As many blocks of one case as there are cases.
        Assert.Equal(ReportSuite.Cases.Count, 1 + entries.Zip(entries.Skip(1)).Count(pair => pair.First.Case != pair.Second.Case));
    }

    [Fact]
    public void A_peer_that_fails_is_a_note_and_the_others_are_measured()
    {
        var @case = new AttentionCase("test", new AttentionShape(batch: 1, heads: 1, length: 20), 8);
        List<string> notes = [];
        var runner = new ReportRunner(
            [new ReportEntry(new IdlePeer(), @case, 1), new ReportEntry(PeerCatalog.FastAttn, @case, 1)],
            threads: 1, rounds: 1, new Deadline(TimeSpan.FromMinutes(1)), notes, TextWriter.Null);

        (IReadOnlyList<PeakFigure> peaks, IReadOnlyList<BandwidthFigure> bandwidths, IReadOnlyList<CaseFigure> figures) = runner.Run();

        Assert.StartsWith("idle, test 1x1x20 d8, 1 thread: idle differs from FastAttn", Assert.Single(notes), StringComparison.Ordinal);
        CaseFigure figure = Assert.Single(figures);
        Assert.Equal(("FastAttn", "test 1x1x20 d8", 4.0 * 20 * 20 * 8), (figure.Peer, figure.Case, figure.Flops));
        Assert.True(figure.Milliseconds.Median > 0);
        Assert.Equal(InstructionSets.Default, peaks[0].InstructionSet);
        Assert.True(Assert.Single(bandwidths).GigabytesPerSecond.Median > 0);
    }

    [Theory]
    [InlineData("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "intel-core-i7-9750h-cpu-2-60ghz")]
    [InlineData("AMD EPYC (family 23, model 1)", "amd-epyc-family-23-model-1")]
    [InlineData("../..", "unknown-cpu")]
    public void A_results_folder_is_named_after_the_CPU(string cpu, string folder) => Assert.Equal(folder, CpuFolder.NameOf(cpu));

    [Theory]
    [InlineData("AMD EPYC", "AMD EPYC (family 25, model 17)")]
    [InlineData("AMD EPYC 9654", "AMD EPYC 9654")]
    public void A_CPU_without_a_number_is_told_by_family_and_model(string name, string expected) =>
        Assert.Equal(expected, CpuName.Parse(["processor\t: 0", "cpu family\t: 25", "model\t\t: 17", $"model name\t: {name}", "", "model name\t: another"]));

    [Fact]
    public void A_CPU_that_does_not_tell_its_name_has_none() => Assert.Null(CpuName.Parse(["processor\t: 0", "BogoMIPS\t: 50.00"]));

    [Fact]
    public void Caches_are_read_as_Linux_describes_them()
    {
        using var folder = new TemporaryFolder();
        DirectoryInfo index = folder.Info.CreateSubdirectory("index0");
        foreach ((string name, string text) in new[] { ("level", "1\n"), ("type", "Data\n"), ("size", "32K\n") })
            File.WriteAllText(Path.Combine(index.FullName, name), text);

        Assert.Equal(["L1 data 32K, processors ?"], MachineReader.Caches(folder.Path));
        Assert.Empty(MachineReader.Caches(Path.Combine(folder.Path, "none")));
    }

    [Fact]
    public void Plots_are_drawn_with_their_text()
    {
        using var folder = new TemporaryFolder();
        using var error = new StringWriter();
        ReportResults results = SampleResults.Create();
        IReadOnlyList<NamedPlot> plots =
            [.. ReportPlots.Of(results), .. new Comparison([new Column("a", results), new Column("b", results)]).Plots()];

        bool drawn = PlotFile.WriteAll(plots, folder.Info, png: true, error);

        Assert.SkipWhen(SKFontManager.Default.FontFamilyCount == 0, "There is no font; the command says so and writes no plots.");
        Assert.True(drawn);
        Assert.Contains(ReportPlots.Roofline, plots.Select(plot => plot.Name));
        Assert.Contains(ReportPlots.RelativeName(2, isOdd: false), plots.Select(plot => plot.Name));
        Assert.All(plots, plot =>
        {
            Assert.Contains("<text", File.ReadAllText(Path.Combine(folder.Path, plot.Name + ".svg")), StringComparison.Ordinal);
            Assert.True(new FileInfo(Path.Combine(folder.Path, plot.Name + ".png")).Length > 0);
        });
    }

    [Fact]
    public void A_scale_encloses_all_values_and_has_few_ticks()
    {
        Axis axis = Axis.LogarithmicAround([0.3, 42, 7000]);

        Assert.InRange(axis.Min, Math.Log10(0.1), Math.Log10(0.3));
        Assert.InRange(axis.Max, Math.Log10(7000), Math.Log10(10000));
        // What is not positive stands at the end.
        Assert.Equal(axis.Min, axis.At(0));
    }
}
