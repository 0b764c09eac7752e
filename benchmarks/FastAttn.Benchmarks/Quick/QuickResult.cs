using System.Collections.Generic;

namespace FastAttn.Benchmarks.Quick;

/// <summary>All that a run measured.</summary>
internal sealed record QuickResult(MachineFigures Machine, IReadOnlyList<CaseResult> Cases, int Threads, int Rounds);
