using System;

using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>The same by ONNX Runtime, set against FastAttn's row. It chooses its instructions itself.</summary>
internal sealed record OnnxRuntimeRow : WorkloadRow
{
    public OnnxRuntimeRow(WorkloadRow own)
        : base(own)
    {
        Baseline = [own.FullName];
    }

    /// <summary>How it is given the work, where there is more than one way; empty otherwise.</summary>
    public string How { get; init; } = string.Empty;

    public override string RunsOn => How.Length == 0 ? "ONNX Runtime" : $"ONNX Runtime {How}";

    public override bool IsFastAttn => false;

    public override Action Bind(AttentionBuffers buffers, int threads) => Workload.BindChecked(threads);
}
