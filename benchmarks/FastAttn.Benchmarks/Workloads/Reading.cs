namespace FastAttn.Benchmarks.Workloads;

/// <summary>What a call must read from memory.</summary>
/// <param name="What">In words.</param>
/// <param name="Bytes">How much.</param>
internal sealed record Reading(string What, double Bytes);
