using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Benchmarks.Quick;

/// <summary>What the machine could do while the cases ran.</summary>
/// <param name="Peaks">Multiply-add peak of the run's threads, for every instruction set that was measured.</param>
/// <param name="ReadGigabytesPerSecond">Read bandwidth of memory, with the run's number of threads.</param>
internal sealed record MachineFigures(IReadOnlyList<InstructionSetPeak> Peaks, Spread ReadGigabytesPerSecond)
{
    public double PeakOf(InstructionSet instructionSet) => Peaks.Single(peak => peak.InstructionSet == instructionSet).Gigaflops.Median;
}
