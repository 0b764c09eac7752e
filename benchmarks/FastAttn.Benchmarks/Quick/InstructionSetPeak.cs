namespace FastAttn.Benchmarks.Quick;

/// <summary>The maximum rate of multiply-adds that the run's threads reach together with an instruction set.</summary>
internal sealed record InstructionSetPeak(InstructionSet InstructionSet, Spread Gigaflops);
