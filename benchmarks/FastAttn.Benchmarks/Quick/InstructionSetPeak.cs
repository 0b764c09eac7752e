namespace FastAttn.Benchmarks.Quick;

/// <summary>The most multiply-adds that one thread can do with an instruction set.</summary>
internal sealed record InstructionSetPeak(InstructionSet InstructionSet, Spread Gigaflops);
