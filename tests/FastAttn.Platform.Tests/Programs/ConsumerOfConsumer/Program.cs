using System;

using FastAttn;

// The library comes with the reference; its generator does not, and is not needed to use a kernel.
AttentionKernel kernel = Kernels.Causal64;
Console.WriteLine($"default {InstructionSets.Default}");
Console.WriteLine($"{kernel.InstructionSet} {kernel.Name} {Check.Errors(kernel)}");
