using System.Collections.Generic;
using System.Collections.Immutable;

using Microsoft.CodeAnalysis;

namespace FastAttn.Generators.Diagnostics;

/// <summary>Gathers what is wrong with one declaration.</summary>
/// <param name="location">The attribute's, at which all of it is reported.</param>
internal sealed class Problems(Location location)
{
    private readonly List<Problem> _found = [];

    public bool Any => _found.Count > 0;

    public void Add(DiagnosticDescriptor descriptor, params string[] arguments)
    {
        FileLinePositionSpan span = location.GetLineSpan();
        _found.Add(new(descriptor, new(ImmutableArray.Create(arguments)), span.Path, location.SourceSpan, span.Span));
    }

    public ImmutableArray<Problem> ToImmutable() => [.. _found];
}
