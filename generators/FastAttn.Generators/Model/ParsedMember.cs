using FastAttn.Generators.Diagnostics;

namespace FastAttn.Generators.Model;

/// <summary>An annotated member: a declaration, or what is wrong with it.</summary>
/// <param name="Declaration">Null where something is wrong, be it only what the compiler says itself.</param>
/// <param name="Problems">What the generator has to say.</param>
internal sealed record ParsedMember(KernelDeclaration? Declaration, EquatableArray<Problem> Problems);
