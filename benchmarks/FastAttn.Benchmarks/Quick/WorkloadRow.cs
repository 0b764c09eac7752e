using System;

using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>A layer or projection by FastAttn.</summary>
internal record WorkloadRow(Workload Workload, InstructionSet InstructionSet) : QuickRow(Workload.Name, InstructionSet)
{
    public override double Flops => Workload.Flops;

    public override Reading? Reading => Workload.Reading;

    public override Action Bind(AttentionBuffers buffers, int threads) => Workload.BindFastAttn(InstructionSet, threads);
}
