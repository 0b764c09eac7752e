using System.Collections.Generic;

using FastAttn.Benchmarks.Report;

namespace FastAttn.Benchmarks.Suites;

/// <summary>Self-attention of one sequence under a causal mask.</summary>
public class CausalBenchmarks : PeerBenchmarks
{
    protected override IReadOnlyList<string> Groups => [ReportSuite.Causal];
}
