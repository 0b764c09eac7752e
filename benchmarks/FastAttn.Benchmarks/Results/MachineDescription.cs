using System.Collections.Generic;

namespace FastAttn.Benchmarks.Results;

/// <summary>What the figures were measured on.</summary>
/// <param name="Cpu">The CPU's own name.</param>
/// <param name="Processors">Logical processors that the process could use.</param>
/// <param name="IsVirtual">Whether it is a virtual machine, whose neighbours make figures noisy.</param>
/// <param name="Caches">Its caches, where the system tells them.</param>
/// <param name="OperatingSystem">System and version.</param>
/// <param name="Runtime">.NET's version and platform.</param>
/// <param name="InstructionSet">The one that FastAttn took by default.</param>
internal sealed record MachineDescription(
    string Cpu,
    int Processors,
    bool IsVirtual,
    IReadOnlyList<string> Caches,
    string OperatingSystem,
    string Runtime,
    InstructionSet InstructionSet);
