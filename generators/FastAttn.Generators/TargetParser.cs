using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;

using FastAttn.Generators.Diagnostics;
using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace FastAttn.Generators;

/// <summary>
/// Reads which instruction sets a project wants kernels for: those that its property <c>FastAttnInstructionSets</c> names, else all that
/// an assembly of its platform can run on (<c>PlatformTarget</c>, which the SDK takes from a <c>RuntimeIdentifier</c>).
/// </summary>
internal static class TargetParser
{
    /// <summary>The property. Its names are separated by commas: the compiler takes what follows a semicolon for a comment.</summary>
    public const string Property = "build_property.FastAttnInstructionSets";

    private static readonly char[] Separators = [',', ';', ' ', '\t'];

    /// <summary>Returns the instruction sets; all that the platform has where a name is not known, so that there is one error alone.</summary>
    /// <param name="project">Its properties and its compilation.</param>
    /// <param name="cancellation">Unused: there is little to stop.</param>
    public static Target Parse((AnalyzerConfigOptionsProvider Options, Compilation Compilation) project, CancellationToken cancellation)
    {
        ImmutableArray<Dialect> ofPlatform = [.. Dialect.All.ToArray().Where(dialect => RunsOn(dialect, project.Compilation.Options.Platform))];
        string[] names = project.Options.GlobalOptions.TryGetValue(Property, out string? value) ? value.Split(Separators, StringSplitOptions.RemoveEmptyEntries) : [];
        if (names.Length == 0)
            return new(new(ofPlatform), new([]));

        ImmutableArray<Problem> problems = [.. names.Where(static name => !Dialect.All.ToArray().Any(dialect => Is(dialect, name))).Select(static name => Unknown(name))];
        ImmutableArray<Dialect> named = [.. Dialect.All.ToArray().Where(dialect => dialect == Dialect.Scalar || names.Any(name => Is(dialect, name)))];
        return problems.IsEmpty ? new(new(named), new([])) : new(new(ofPlatform), new(problems));
    }

    private static bool Is(Dialect dialect, string name) => dialect.Name.Equals(name, StringComparison.OrdinalIgnoreCase);

    private static Problem Unknown(string name)
    {
        IEnumerable<string> known = Dialect.All.ToArray().Select(static dialect => dialect.Name);
        return Problem.OfProject(Descriptors.UnknownInstructionSet, name, string.Join(", ", known));
    }

    private static bool RunsOn(Dialect dialect, Platform platform)
    {
        Architecture ofPlatform = platform switch
        {
            Platform.X64 or Platform.X86 => Architecture.X86,
            Platform.Arm64 or Platform.Arm => Architecture.Arm,
            _ => Architecture.Any,
        };
        return ofPlatform == Architecture.Any || dialect.Architecture == Architecture.Any || dialect.Architecture == ofPlatform;
    }
}
