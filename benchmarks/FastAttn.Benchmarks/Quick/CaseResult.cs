using System.Collections.Generic;

namespace FastAttn.Benchmarks.Quick;

/// <summary>A case's figures.</summary>
/// <param name="Case">What was computed.</param>
/// <param name="Threads">Threads that a call could use.</param>
/// <param name="Milliseconds">Time of a call.</param>
/// <param name="PeakGigaflops">The instruction set's multiply-add peak, measured with as many threads.</param>
/// <param name="Samples">The same, round by round.</param>
/// <param name="AllocatedBytes">Bytes that the timed calls allocated: 0 unless something is wrong.</param>
internal sealed record CaseResult(QuickRow Case, int Threads, Spread Milliseconds, double PeakGigaflops, IReadOnlyList<double> Samples, long AllocatedBytes)
{
    public double Gigaflops => Case.Flops / Milliseconds.Median / 1e6;

    /// <summary>Fraction of the peak.</summary>
    public double Share => Gigaflops / PeakGigaflops;

    /// <summary>Of what a call must read from memory; null where that is not the limit.</summary>
    public double? ReadGigabytesPerSecond => Case.Reading?.Bytes / Milliseconds.Median / 1e6;
}
