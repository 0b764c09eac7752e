using FastAttn.Benchmarks.Peers;

namespace FastAttn.Benchmarks.Report;

/// <summary>One time to measure: who computes what, on how many threads.</summary>
internal sealed record ReportEntry(IPeer Peer, AttentionCase Case, int Threads);
