using FastAttn.Generators.Dialects;

namespace FastAttn.Generators.Model;

/// <summary>A kernel's class, which chooses among the tiles of these instruction sets.</summary>
/// <param name="Spec">What was declared.</param>
/// <param name="Dialects">The instruction sets, best first.</param>
internal sealed record EmittedKernel(KernelSpec Spec, EquatableArray<Dialect> Dialects);
