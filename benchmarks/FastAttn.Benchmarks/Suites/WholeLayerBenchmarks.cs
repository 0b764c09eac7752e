using System;
using System.Collections.Generic;
using System.Linq;

using BenchmarkDotNet.Attributes;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Suites;

/// <summary>Attention layers of known models with their projections, and projections alone, by FastAttn and as ONNX Runtime's graph.</summary>
[MemoryDiagnoser]
public class WholeLayerBenchmarks
{
    private Action _call = () => { };

    public static IEnumerable<string> Names => LayerSuite.Workloads.Select(static workload => workload.Name);

    [ParamsSource(nameof(Names))]
    public string Case { get; set; } = "";

    [ParamsSource(typeof(PeerBenchmarks), nameof(PeerBenchmarks.ThreadCounts))]
    public int Threads { get; set; }

    [Benchmark(Baseline = true)]
    public void FastAttn() => _call();

    [Benchmark]
    public void OnnxRuntime() => _call();

    [GlobalSetup(Target = nameof(FastAttn))]
    public void SetUpFastAttn() => _call = Chosen.BindFastAttn(InstructionSets.Default, Threads);

    [GlobalSetup(Target = nameof(OnnxRuntime))]
    public void SetUpOnnxRuntime() => _call = Chosen.BindChecked(Threads);

    private Workload Chosen => LayerSuite.Workloads.Single(workload => workload.Name == Case);
}
