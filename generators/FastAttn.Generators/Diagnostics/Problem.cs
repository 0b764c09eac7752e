using Microsoft.CodeAnalysis;

namespace FastAttn.Generators.Diagnostics;

/// <summary>A descriptor and the arguments of its message.</summary>
internal readonly record struct Problem(DiagnosticDescriptor Descriptor, params string[] Arguments);
