using Microsoft.CodeAnalysis;

namespace FastAttn.Generators.Diagnostics;

/// <summary>What can be wrong with a declaration. Ids are never reused; AnalyzerReleases.*.md track them.</summary>
internal static class Descriptors
{
    public static readonly DiagnosticDescriptor NotPartial = Error(
        "FATTN001",
        "The member is not a partial property or method",
        "'{0}' must be a partial get-only property or a partial parameterless method: 'static partial AttentionKernel {0} {{ get; }}'");

    public static readonly DiagnosticDescriptor WrongType = Error(
        "FATTN002",
        "The member does not return AttentionKernel",
        "'{0}' must return 'FastAttn.AttentionKernel', not '{1}'");

    public static readonly DiagnosticDescriptor HasParameters = Error(
        "FATTN003",
        "The member has parameters",
        "'{0}' must have neither parameters nor type parameters: the kernel is chosen at compile time");

    public static readonly DiagnosticDescriptor HasSetter = Error(
        "FATTN004",
        "The property is not get-only",
        "'{0}' must have a get accessor and no other: remove 'set' or 'init'");

    public static readonly DiagnosticDescriptor ContainerNotPartial = Error(
        "FATTN005",
        "A containing type is not partial",
        "Declare the containing type '{1}' as partial, so that '{0}' can be implemented");

    public static readonly DiagnosticDescriptor HeadDimensionOutOfRange = Error(
        "FATTN006",
        "The head dimension is out of range",
        "The head dimension of '{0}' is {1}; it must be 1 to 1024");

    public static readonly DiagnosticDescriptor ValueDimensionOutOfRange = Error(
        "FATTN007",
        "The value dimension is out of range",
        "ValueDim of '{0}' is {1}; it must be 1 to 1024, or left out where it equals the head dimension");

    public static readonly DiagnosticDescriptor UnknownMask = Error(
        "FATTN008",
        "The mask is not known",
        "Mask of '{0}' is {1}; use a member of AttentionMask: None or Causal");

    public static readonly DiagnosticDescriptor LanguageVersionTooOld = Error(
        "FATTN009",
        "The language version is too old",
        "'{0}' needs C# 13 or later; this project compiles as C# {1}: remove <LangVersion> or raise it");

    public static readonly DiagnosticDescriptor ContainerFileLocal = Error(
        "FATTN010",
        "A containing type is file-local",
        "'{0}' cannot be implemented in another file, since the containing type '{1}' is file-local: remove 'file'");

    public static readonly DiagnosticDescriptor AlreadyImplemented = Error(
        "FATTN011",
        "The member is already implemented",
        "'{0}' has an implementation; declare it without one and leave it to the generator");

    public static readonly DiagnosticDescriptor UnknownFeature = Error(
        "FATTN012",
        "A feature is not known",
        "Features of '{0}' are {1}; combine members of AttentionFeatures");

    // FATTN013 refused Lengths beside Ragged, which a kernel may have both.
    public static readonly DiagnosticDescriptor NameIsTaken = Error(
        "FATTN014",
        "The project declares a name that emitted code uses",
        "'{0}' cannot be implemented, since this project declares '{1}' itself, which emitted code would mean instead of its own or the library's: rename it or move it");

    public static readonly DiagnosticDescriptor UnsafeNotAllowed = Error(
        "FATTN015",
        "The member is unsafe in a project without unsafe code",
        "'{0}' is unsafe, and so would its implementation be, but the project does not set AllowUnsafeBlocks: remove 'unsafe', which a kernel does not need");

    public static readonly DiagnosticDescriptor LibraryIsAliased = Error(
        "FATTN016",
        "The library is referenced through an alias alone",
        "'{0}' cannot be implemented, since FastAttn is referenced through the alias '{1}' alone and emitted code names it 'global::FastAttn': add 'global' to the reference's Aliases");

    public static readonly DiagnosticDescriptor UnknownInstructionSet = Error(
        "FATTN017",
        "An instruction set is not known",
        "The property FastAttnInstructionSets names '{0}'; it may name {1}");

    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, "FastAttn", DiagnosticSeverity.Error, isEnabledByDefault: true);
}
