using System.Collections.Generic;
using System.Linq;

using FastAttn.Measurement;

namespace FastAttn.Benchmarks.Quick;

/// <summary>
/// Measures what the machine can do, once in each round. Its clock drifts, so that a peak measured before the run would not be the peak
/// during the run.
/// </summary>
internal sealed class MachineSampler(IReadOnlyList<InstructionSet> instructionSets, int threads)
{
    private readonly Dictionary<InstructionSet, List<double>> _peaks = instructionSets.ToDictionary(isa => isa, _ => new List<double>());
    private readonly List<double> _bandwidths = [];

    public void Sample()
    {
        foreach ((InstructionSet instructionSet, List<double> peaks) in _peaks)
            peaks.Add(FmaPeak.MeasureGigaflops(instructionSet, threads));
        _bandwidths.Add(ReadBandwidth.MeasureGigabytesPerSecond(threads));
    }

    public MachineFigures Figures() =>
        new([.. instructionSets.Select(isa => new InstructionSetPeak(isa, Spread.Of(_peaks[isa])))], Spread.Of(_bandwidths));
}
