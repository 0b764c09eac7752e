using FastAttn.Generators.Dialects;
using FastAttn.Generators.Diagnostics;

namespace FastAttn.Generators.Model;

/// <summary>What a project's kernels are emitted for.</summary>
/// <param name="Dialects">The instruction sets, best first; scalar code is always the last of them.</param>
/// <param name="Problems">What is wrong with the project's choice.</param>
internal sealed record Target(EquatableArray<Dialect> Dialects, EquatableArray<Problem> Problems);
