using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Results;

/// <summary>The multiply-add peak of an instruction set and a number of threads.</summary>
internal sealed record PeakFigure(InstructionSet InstructionSet, int Threads, Spread Gigaflops);
