using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks.Tests;

/// <summary>Results as <c>report</c> writes them, with times that a test chooses; they stand for no machine.</summary>
internal static class SampleResults
{
    public const string Prefill = "prefill 1x8x512 d64", Decode = "decode 1x8x1:32768 d128";

    private static readonly int[] KeyLengths = [1024, 2048];

    /// <summary>A spread of 2% around a median.</summary>
    public static Spread Quiet(double median) => Around(median, 0.01);

    public static Spread Around(double median, double fraction) =>
        new(median, median * (1 - 2 * fraction), median * (1 + 2 * fraction), median * (1 - fraction), median * (1 + fraction));

    public static ReportResults Create(
        string cpu = "Sample CPU", double peak = 100, Spread? prefill = null, Spread? decode = null, double onnxPrefill = 12)
    {
        Spread own = prefill ?? Quiet(10);
        List<CaseFigure> figures = [];
        foreach (int threads in (int[])[1, 2])
        {
            figures.Add(Figure("prefill", Prefill, 512, 64, FastAttnPeer.LibraryName, threads, own));
            figures.Add(Figure("prefill", Prefill, 512, 64, "ONNX Runtime A", threads, Quiet(onnxPrefill)));
            figures.Add(Figure("prefill", Prefill, 512, 64, "ONNX Runtime B", threads, Quiet(onnxPrefill + 3)));
            figures.Add(Figure("decode", Decode, 1, 128, FastAttnPeer.LibraryName, threads, decode ?? Quiet(20)));
        }

        figures.AddRange(from keys in KeyLengths select Figure("keys", $"keys 1x8x128:{keys} d64", 128, 64, FastAttnPeer.LibraryName, 1, Quiet(keys / 100.0)) with { KeyLength = keys });
        return new ReportResults(
            ReportResults.CurrentSchema,
            new MachineDescription(cpu, 2, IsVirtual: true, ["L1 data 32K, processors 0"], "Sample OS", "Sample .NET", InstructionSet.Avx2),
            "0123456789ab",
            new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
            Rounds: 7,
            [
                new PeerDescription(FastAttnPeer.LibraryName, FastAttnPeer.LibraryName, "1.0"),
                new PeerDescription("ONNX Runtime A", "ONNX Runtime", "2.0"),
                new PeerDescription("ONNX Runtime B", "ONNX Runtime", "2.0"),
            ],
            ["PyTorch: not built in"],
            [new PeakFigure(InstructionSet.Avx2, 1, Quiet(peak)), new PeakFigure(InstructionSet.Avx2, 2, Quiet(2 * peak))],
            [new BandwidthFigure(1, Quiet(20)), new BandwidthFigure(2, Quiet(30))],
            figures,
            [new MemoryFigure(FastAttnPeer.LibraryName, "keys 1x8x128:1024 d64", 1024, 65536)],
            [new StartupFigure("JIT", Prefill, Quiet(90), Quiet(60), Quiet(12), Quiet(11))],
            ["A note."]);
    }

    // 536,870,912 operations in 10 ms are 53.7 GFLOP/s; 268,435,456 bytes in 20 ms are 13.4 GB/s.
    private static CaseFigure Figure(string group, string name, int queries, int headDim, string peer, int threads, Spread milliseconds)
    {
        int keys = queries == 1 ? 32768 : queries;
        double keyValueBytes = 2.0 * 4 * 8 * keys * headDim;
        return new CaseFigure(
            group, name, queries, keys, headDim, 4.0 * 8 * queries * keys * headDim, keyValueBytes + 2.0 * 4 * 8 * queries * headDim, keyValueBytes, peer, threads, milliseconds, AllocatedBytes: 0);
    }
}
