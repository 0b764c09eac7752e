using System.Collections.Generic;

using FastAttn.Benchmarks.Report;

namespace FastAttn.Benchmarks.Suites;

/// <summary>Many short sequences, and one so short that the call itself counts.</summary>
public class SmallBatchBenchmarks : PeerBenchmarks
{
    protected override IReadOnlyList<string> Groups => [ReportSuite.Batch, ReportSuite.Small];
}
