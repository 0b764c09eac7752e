namespace FastAttn.Benchmarks.Quick;

/// <summary>The most multiply-adds that the run's threads can do together with an instruction set.</summary>
internal sealed record InstructionSetPeak(InstructionSet InstructionSet, Spread Gigaflops);
