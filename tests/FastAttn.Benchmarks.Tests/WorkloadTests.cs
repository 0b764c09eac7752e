using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Workloads;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class WorkloadTests
{
    private static readonly MultiHeadAttentionOptions Options = new() { ModelDim = 48, Heads = 3 };
    private static readonly MultiHeadAttentionOptions Causal = Options with { Mask = AttentionMask.Causal };

    /// <summary>The kinds of layers and projections that are timed, on small sizes.</summary>
    private static IEnumerable<Workload> Small =>
    [
        new LayerWorkload("self", Options, batch: 3, length: 17),
        new LayerWorkload("causal", Causal, batch: 2, length: 33),
        new LayerWorkload("one after 40", Causal, batch: 2, length: 1) { CachedLength = 40 },
        new LayerWorkload("two after 40", Causal, batch: 1, length: 2) { CachedLength = 40 },
        new LayerWorkload("padding", Options, batch: 2, length: 9) { KeyLengths = [9, 4] },
        new LayerWorkload("memory", Options, batch: 2, length: 5) { MemoryLength = 21, HasKeyBias = false },
        new LayerWorkload("grouped", Causal with { KeyValueHeads = 1, Rotary = new(16) }, batch: 2, length: 12) { HasBias = false },
        new ProjectionWorkload(rows: 19, inputs: 40, outputs: 50),
        new ProjectionWorkload(rows: 1, inputs: 40, outputs: 50, matrices: 3),
    ];

    public static TheoryData<InstructionSet, int> InstructionSetsAndThreads
    {
        get
        {
            var data = new TheoryData<InstructionSet, int>();
            foreach (InstructionSet isa in InstructionSets.Supported)
            {
                data.Add(isa, 1);
                data.Add(isa, 2);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(InstructionSetsAndThreads))]
    public void Onnx_Runtime_computes_what_FastAttn_computes(InstructionSet instructionSet, int threads) => Assert.All(Small, workload =>
    {
        Action own = workload.BindFastAttn(instructionSet, threads), peer = workload.BindChecked(threads);

        // Once more: a cache forgets what a call appended.
        workload.Run(own);
        workload.Run(peer);
        Assert.InRange(Workload.RelativeError(workload.Run(own), workload.Run(peer)), 0, Workload.Tolerance);
    });

    [Fact]
    public void A_peer_that_computes_something_else_is_refused()
    {
        var workload = new Distorted(new ProjectionWorkload(rows: 2, inputs: 8, outputs: 8));

        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => workload.BindChecked(threads: 1));
        Assert.StartsWith("ONNX Runtime differs from FastAttn by 0.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Operations_and_bytes_are_counted()
    {
        // 8 tokens of 4 sequences through four 48 × 48 matrices, and 8 × 8 pairs of 3 heads of 16 + 16.
        Assert.Equal(2.0 * 4 * 8 * 4 * 48 * 48 + 2.0 * 4 * 8 * 8 * 3 * 32, new LayerWorkload("self", Options, batch: 4, length: 8).Flops);
        var step = new LayerWorkload("step", Causal, batch: 1, length: 1) { CachedLength = 40 };
        Assert.Equal(2.0 * 4 * 48 * 48 + 2.0 * 41 * 3 * 32, step.Flops);
        Assert.Equal(4.0 * (4 * 48 * 48 + 41 * 2 * 48), step.Reading!.Bytes);
        Assert.Null(new ProjectionWorkload(rows: 2, inputs: 8, outputs: 8).Reading);
        // No cache holds 128 MiB.
        Assert.InRange(ProjectionWorkload.OfOneRow(inputs: 768, outputs: 768).Reading!.Bytes, 128 << 20, 131 << 20);
    }

    [Fact]
    public void Onnx_Runtime_is_directly_behind_FastAttn_and_set_against_it()
    {
        QuickRow[] rows = [.. LayerSuite.Rows(InstructionSets.Default)];

        Assert.Equal(2 * LayerSuite.Workloads.Count, rows.Length);
        Assert.All(rows.Chunk(2), static pair =>
        {
            Assert.Equal((true, false), (pair[0].IsFastAttn, pair[1].IsFastAttn));
            Assert.Equal([pair[0].FullName], pair[1].Baseline);
        });
        Assert.Distinct(QuickSuite.Cases(InstructionSets.Supported).Select(static row => row.FullName));
    }

    [Fact]
    public void An_encoder_computes_the_same_however_Onnx_Runtime_is_given_its_texts()
    {
        foreach (OnnxBatching batching in Enum.GetValues<OnnxBatching>())
            new EncoderWorkload("texts", [3, 17, 1, 8, 8, 30, 2, 5, 11, 4], batching).BindChecked(threads: 1)();
        new EncoderWorkload("alike", [7, 7, 7]).BindChecked(threads: 2)();
    }

    [Fact]
    public void Every_row_of_an_encoder_is_set_against_FastAttn()
    {
        QuickRow[] rows = [.. EmbeddingSuite.Rows(InstructionSets.Default)];

        Assert.Equal(4 * 2 + 4, rows.Length);
        foreach (QuickRow row in rows.Where(static row => !row.IsFastAttn))
            Assert.Contains(row.Baseline.Single(), rows.Where(static other => other.IsFastAttn).Select(static other => other.FullName));
        // Six layers: 5 tokens through matrices of 4·384² + 2·384·1536 numbers, and 5 × 5 pairs of 384 + 384.
        Assert.Equal(6 * (2.0 * 5 * (4 * 384 * 384 + 2 * 384 * 1536) + 2.0 * 25 * 768), new EncoderWorkload("five", [5]).Flops);
    }

    [Fact]
    public void A_quick_run_reports_shares_bandwidth_and_the_ratio()
    {
        var layer = new WorkloadRow(new LayerWorkload("step", Causal, batch: 1, length: 1) { CachedLength = 40 }, InstructionSets.Default);
        QuickResult result = new QuickRunner([layer, new OnnxRuntimeRow(layer)], threads: 1, rounds: 1, TextWriter.Null).Run();
        using var text = new StringWriter();
        using var json = new MemoryStream();

        QuickReport.Write(text, result);
        JsonLines.Write(json, result.Cases);

        string isa = InstructionSets.Default.ToString();
        foreach (string name in (string[])[isa, "ONNX Runtime"])
            Assert.Contains(text.ToString().Split('\n'), line => line.StartsWith("step ", StringComparison.Ordinal) && line.Contains($" {name} ", StringComparison.Ordinal) && line.Contains(" weights, K and V ", StringComparison.Ordinal));
        Assert.Contains(text.ToString().Split('\n'), line => line.TrimEnd().EndsWith($" step {isa}", StringComparison.Ordinal));
        string[] lines = Encoding.UTF8.GetString(json.ToArray()).TrimEnd().Split('\n');
        Assert.Equal([$"\"isa\":\"{isa}\"", "\"isa\":\"ONNX Runtime\""], lines.Select(static line => line.Split(',')[1]));
    }

    /// <summary>Its peer gives one element half as much again.</summary>
    private sealed class Distorted(Workload workload) : Workload("distorted")
    {
        public override double Flops => workload.Flops;

        public override Reading? Reading => workload.Reading;

        public override Memory<float> Output => workload.Output;

        public override Action BindFastAttn(InstructionSet instructionSet, int threads) => workload.BindFastAttn(instructionSet, threads);

        public override Action BindOnnxRuntime(int threads)
        {
            Action call = workload.BindOnnxRuntime(threads);
            return () =>
            {
                call();
                Output.Span[^1] *= 1.5f;
            };
        }
    }
}
