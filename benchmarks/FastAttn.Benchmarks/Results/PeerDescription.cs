namespace FastAttn.Benchmarks.Results;

/// <summary>Who was measured.</summary>
/// <param name="Name">As in the figures.</param>
/// <param name="Library">The library that it is a part of.</param>
/// <param name="Version">The library's version.</param>
internal sealed record PeerDescription(string Name, string Library, string Version);
