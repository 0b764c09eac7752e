using System.Collections.Generic;

using FastAttn.Benchmarks.Report;

namespace FastAttn.Benchmarks.Suites;

/// <summary>One query over many keys: bound by memory.</summary>
public class DecodeBenchmarks : PeerBenchmarks
{
    protected override IReadOnlyList<string> Groups => [ReportSuite.Decode];
}
