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

    public override string RunsOn => "ONNX Runtime";

    public override bool IsFastAttn => false;

    public override Action Bind(AttentionBuffers buffers, int threads) => Workload.BindChecked(threads);
}
