using System.Collections.Immutable;
using System.Linq;

using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace FastAttn.Generators.Diagnostics;

/// <summary>Something wrong with a declaration, without what would keep a compilation alive.</summary>
/// <param name="Descriptor">What is wrong.</param>
/// <param name="Arguments">The arguments of its message.</param>
/// <param name="FilePath">The file of the attribute; empty for what is wrong with the project.</param>
/// <param name="Span">Where the attribute is in it.</param>
/// <param name="Lines">The same as lines and columns.</param>
internal readonly record struct Problem(DiagnosticDescriptor Descriptor, EquatableArray<string> Arguments, string FilePath, TextSpan Span, LinePositionSpan Lines)
{
    /// <summary>Something wrong with the project, in none of its source files.</summary>
    public static Problem OfProject(DiagnosticDescriptor descriptor, params string[] arguments) =>
        new(descriptor, new(ImmutableArray.Create(arguments)), string.Empty, default, default);

    public Diagnostic ToDiagnostic() =>
        Diagnostic.Create(Descriptor, FilePath.Length == 0 ? Location.None : Location.Create(FilePath, Span, Lines), [.. Arguments.Cast<object>()]);
}
