using System.Collections.Generic;

using FastAttn.Benchmarks.Report;

namespace FastAttn.Benchmarks.Suites;

/// <summary>Self-attention of one sequence without a mask, the usual and the odd sizes.</summary>
public class PrefillBenchmarks : PeerBenchmarks
{
    protected override IReadOnlyList<string> Groups => [ReportSuite.Prefill, ReportSuite.Odd];
}
