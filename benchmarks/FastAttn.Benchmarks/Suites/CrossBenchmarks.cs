using System.Collections.Generic;

using FastAttn.Benchmarks.Report;

namespace FastAttn.Benchmarks.Suites;

/// <summary>Few queries over other keys, up to many of them.</summary>
public class CrossBenchmarks : PeerBenchmarks
{
    protected override IReadOnlyList<string> Groups => [ReportSuite.Cross, ReportSuite.Keys];
}
