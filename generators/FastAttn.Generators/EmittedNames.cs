using System;
using System.Collections.Generic;
using System.Linq;

using Microsoft.CodeAnalysis;

namespace FastAttn.Generators;

/// <summary>
/// What emitted code calls by name. A project that declares one of these names itself would be meant instead, and a type is found before
/// a namespace of the same name: a class <c>System</c> hides all that is in the namespace.
/// </summary>
internal static class EmittedNames
{
    /// <summary>Where emitted types are.</summary>
    public const string Namespace = "FastAttn.Generated";

    /// <summary>The types, by metadata name; of an attribute both spellings.</summary>
    public static IReadOnlyList<string> Types { get; } =
    [
        "FastAttn.AttentionFeatures",
        "FastAttn.AttentionKernel",
        "FastAttn.AttentionMask",
        "FastAttn.InstructionSet",
        "FastAttn.Runtime.IAttentionTiles",
        "FastAttn.Runtime.IKernelSpec",
        "FastAttn.Runtime.ITileSizes",
        "FastAttn.Runtime.Prefetcher",
        "FastAttn.Runtime.TileDriver",
        "System.CodeDom.Compiler.GeneratedCode",
        "System.CodeDom.Compiler.GeneratedCodeAttribute",
        "System.Runtime.CompilerServices.MethodImpl",
        "System.Runtime.CompilerServices.MethodImplAttribute",
        "System.Runtime.CompilerServices.MethodImplOptions",
        "System.Runtime.CompilerServices.Unsafe",
        "System.Runtime.Intrinsics.Vector128",
        "System.Runtime.Intrinsics.Vector128`1",
        "System.Runtime.Intrinsics.Vector256",
        "System.Runtime.Intrinsics.Vector256`1",
        "System.Runtime.Intrinsics.Vector512",
        "System.Runtime.Intrinsics.Vector512`1",
        "System.Single",
    ];

    private static readonly string[][] TypeParts = [.. Types.Select(static name => name.Split('.'))];
    private static readonly string[] NamespaceParts = Namespace.Split('.');

    /// <summary>The first of the names that an assembly declares, or a name in <see cref="Namespace"/>; null for none.</summary>
    /// <param name="assembly">The project's; referenced assemblies do not count.</param>
    public static string? DeclaredIn(IAssemblySymbol assembly)
    {
        foreach (string[] parts in TypeParts)
        {
            if (Walk(assembly, parts.AsSpan(0, parts.Length - 1), out INamespaceSymbol? scope) is { } hidden)
                return hidden;
            string name = parts[parts.Length - 1];
            int arity = name.IndexOf('`') is int at and >= 0 ? int.Parse(name.Substring(at + 1)) : 0;
            if (scope is not null && (Declares(scope, name.Split('`')[0], arity) || (arity == 0 && NamespaceIn(scope, name) is not null)))
                return string.Join(".", parts);
        }

        return Walk(assembly, NamespaceParts, out INamespaceSymbol? generated)
            ?? generated?.GetMembers().Where(static member => member is not INamedTypeSymbol { IsFileLocal: true }).Select(static member => $"{Namespace}.{member.Name}").FirstOrDefault();
    }

    /// <summary>Goes from the global namespace inwards. Returns the name of a type that is in the way, else null and the namespace if the assembly has it.</summary>
    private static string? Walk(IAssemblySymbol assembly, ReadOnlySpan<string> parts, out INamespaceSymbol? scope)
    {
        scope = assembly.GlobalNamespace;
        for (int i = 0; i < parts.Length && scope is not null; i++)
        {
            if (Declares(scope, parts[i], arity: 0))
                return string.Join(".", parts.Slice(0, i + 1).ToArray());
            scope = NamespaceIn(scope, parts[i]);
        }

        return null;
    }

    private static bool Declares(INamespaceSymbol scope, string name, int arity) =>
        scope.GetTypeMembers(name, arity).Any(static type => !type.IsFileLocal);

    private static INamespaceSymbol? NamespaceIn(INamespaceSymbol scope, string name) =>
        scope.GetMembers(name).OfType<INamespaceSymbol>().FirstOrDefault();
}
