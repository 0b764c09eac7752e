using System.Collections.Generic;

namespace FastAttn.Benchmarks.Plots;

/// <summary>Points under one name of the legend.</summary>
internal sealed record Series(string Name, IReadOnlyList<(double X, double Y)> Points);
