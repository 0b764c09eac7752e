using System.Linq;

using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace FastAttn.Generators.Diagnostics;

/// <summary>Something wrong with a declaration, without what would keep a compilation alive.</summary>
/// <param name="Descriptor">What is wrong.</param>
/// <param name="Arguments">The arguments of its message.</param>
/// <param name="FilePath">The file of the attribute.</param>
/// <param name="Span">Where the attribute is in it.</param>
/// <param name="Lines">The same as lines and columns.</param>
internal readonly record struct Problem(DiagnosticDescriptor Descriptor, EquatableArray<string> Arguments, string FilePath, TextSpan Span, LinePositionSpan Lines)
{
    public Diagnostic ToDiagnostic() => Diagnostic.Create(Descriptor, Location.Create(FilePath, Span, Lines), [.. Arguments.Cast<object>()]);
}
