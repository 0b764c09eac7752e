namespace FastAttn.Benchmarks.Workloads;

/// <summary>What a call must read from memory.</summary>
/// <param name="What">What it reads, in words.</param>
/// <param name="Bytes">How many bytes that are.</param>
internal sealed record Reading(string What, double Bytes);
