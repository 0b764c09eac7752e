using ScottPlot;

namespace FastAttn.Benchmarks.Plots;

/// <summary>A plot and where it goes.</summary>
/// <param name="Name">File name without its extension.</param>
/// <param name="Message">The one thing that it shows, as a sentence for the text beside it.</param>
/// <param name="Plot">The plot.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
internal sealed record NamedPlot(string Name, string Message, Plot Plot, int Width, int Height);
