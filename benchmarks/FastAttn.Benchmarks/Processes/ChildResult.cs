using System;

namespace FastAttn.Benchmarks.Processes;

/// <summary>What a process returned and wrote, and how long it took from its start to its end.</summary>
internal sealed record ChildResult(int ExitCode, string Output, string Error, TimeSpan Duration);
