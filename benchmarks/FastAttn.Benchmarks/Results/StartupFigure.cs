using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Results;

/// <summary>What the first calls of a fresh process take.</summary>
/// <param name="Mode"><c>JIT</c> or <c>NativeAOT</c>.</param>
/// <param name="Case">What was computed.</param>
/// <param name="ProcessMilliseconds">From the start of the process to its end, one call included.</param>
/// <param name="FirstMilliseconds">The first call.</param>
/// <param name="SecondMilliseconds">The second call.</param>
/// <param name="SteadyMilliseconds">The median of calls after the code is final.</param>
internal sealed record StartupFigure(
    string Mode,
    string Case,
    Spread ProcessMilliseconds,
    Spread FirstMilliseconds,
    Spread SecondMilliseconds,
    Spread SteadyMilliseconds);
