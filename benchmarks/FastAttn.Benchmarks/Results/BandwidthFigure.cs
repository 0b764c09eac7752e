using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Results;

/// <summary>The read bandwidth of a number of threads.</summary>
internal sealed record BandwidthFigure(int Threads, Spread GigabytesPerSecond);
