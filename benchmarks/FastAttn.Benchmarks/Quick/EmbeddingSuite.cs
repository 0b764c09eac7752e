using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>A sentence encoder, beside ONNX Runtime running the same model.</summary>
internal static class EmbeddingSuite
{
    // Texts of many lengths: half of them are short, few are long, as passages and questions are.
    private static readonly ImmutableArray<int> Mixed = [.. Enumerable.Range(0, 32).Select(static i => (int)Math.Round(8 * Math.Pow(32, i * 11 % 32 / 31.0)))];

    /// <summary>A row of FastAttn and one of ONNX Runtime directly behind it; behind texts of many lengths, one for each way to batch them.</summary>
    public static IEnumerable<QuickRow> Rows(InstructionSet isa)
    {
        foreach ((string name, int[] lengths) in ((string, int[])[])[("1x16", [16]), ("1x128", [128]), ("1x512", [512]), ("32x128", [.. Enumerable.Repeat(128, 32)])])
        {
            WorkloadRow own = new(new EncoderWorkload($"encoder MiniLM {name}", [.. lengths]), isa);
            yield return own;
            yield return new OnnxRuntimeRow(own);
        }

        const string MixedName = "encoder MiniLM 32x8..256";
        WorkloadRow ragged = new(new EncoderWorkload(MixedName, Mixed), isa);
        yield return ragged;
        foreach ((OnnxBatching batching, string how) in ((OnnxBatching, string)[])[(OnnxBatching.Padded, "padded"), (OnnxBatching.Sorted, "sorted"), (OnnxBatching.OneByOne, "one by one")])
            yield return new OnnxRuntimeRow(ragged) { Workload = new EncoderWorkload(MixedName, Mixed, batching), How = how };
    }
}
