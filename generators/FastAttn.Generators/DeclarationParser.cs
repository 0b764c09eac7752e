using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;

using FastAttn.Generators.Diagnostics;
using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace FastAttn.Generators;

/// <summary>
/// Reads an annotated member. There is a declaration only if nothing is wrong with it.
/// </summary>
internal static class DeclarationParser
{
    public const string FixedAttribute = "FastAttn.AttentionKernelAttribute";
    public const string AnyDimensionAttribute = "FastAttn.AnyDimensionKernelAttribute";
    public const string ProductAttribute = "FastAttn.ProductTilesAttribute";

    private const string LibraryAssembly = "FastAttn";

    /// <summary>Returns the declaration, or what is wrong with it.</summary>
    /// <param name="context">The annotated member, and the part of it that carries the attribute.</param>
    /// <param name="cancellation">Stops it.</param>
    public static ParsedMember Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation)
    {
        (ISymbol symbol, SyntaxNode node, AttributeData attribute) = (context.TargetSymbol, context.TargetNode, context.Attributes[0]);
        var problems = new Problems(attribute.ApplicationSyntaxReference?.GetSyntax(cancellation).GetLocation() ?? node.GetLocation());
        KernelSpec? spec = ParseSpec(symbol, attribute, problems);
        CheckMember(symbol, node, problems);
        CheckProject(symbol, node, attribute, context.SemanticModel.Compilation, problems);
        EquatableArray<Container> containers = ParseContainers(symbol, node, problems);
        if (spec is null || problems.Any || node is not MemberDeclarationSyntax member || containers.Count == 0)
            return new(null, new(problems.ToImmutable()));

        string name = Name(member is PropertyDeclarationSyntax property ? property.Identifier : ((MethodDeclarationSyntax)member).Identifier);
        IEnumerable<string> modifiers = member.Modifiers.Where(static modifier => !modifier.IsKind(SyntaxKind.PartialKeyword)).Select(static modifier => modifier.Text);
        return new(new(spec.Value, NamespaceOf(symbol), containers, string.Join(" ", modifiers.Append("partial")), name, IsMethod: symbol is IMethodSymbol), default);
    }

    private static KernelSpec? ParseSpec(ISymbol symbol, AttributeData attribute, Problems problems)
    {
        bool isFixed = attribute.AttributeClass?.ToDisplayString() == FixedAttribute;
        int head = Dimensions.AtRunTime;
        if (isFixed)
        {
            // Otherwise the attribute itself does not compile.
            if (attribute.ConstructorArguments is not [{ Kind: TypedConstantKind.Primitive } argument] || argument.Value is not int headArgument)
                return null;
            head = headArgument;
            if (head is < 1 or > Dimensions.Max)
                problems.Add(Descriptors.HeadDimensionOutOfRange, symbol.Name, $"{head}");
        }

        int value = head, mask = (int)MaskKind.None, features = (int)KernelFeatures.None;
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            if (argument.Value.Kind is not (TypedConstantKind.Primitive or TypedConstantKind.Enum) || argument.Value.Value is not int number)
                continue;
            switch (argument.Key)
            {
                case "ValueDim":
                    value = number;
                    if (value is < 1 or > Dimensions.Max)
                        problems.Add(Descriptors.ValueDimensionOutOfRange, symbol.Name, $"{value}");
                    break;
                case "Mask":
                    mask = number;
                    if (!Enum.IsDefined(typeof(MaskKind), mask))
                        problems.Add(Descriptors.UnknownMask, symbol.Name, $"{mask}");
                    break;
                case "Features":
                    features = number;
                    if ((features & ~(int)KernelFeatures.All) != 0)
                        problems.Add(Descriptors.UnknownFeature, symbol.Name, $"{features}");
                    break;
            }
        }

        return new(new(head, value), (MaskKind)mask, (KernelFeatures)features);
    }

    private static void CheckMember(ISymbol symbol, SyntaxNode node, Problems problems)
    {
        if (node is not (PropertyDeclarationSyntax or IndexerDeclarationSyntax or MethodDeclarationSyntax)
            || !((MemberDeclarationSyntax)node).Modifiers.Any(SyntaxKind.PartialKeyword)
            || ((MemberDeclarationSyntax)node).Modifiers.Any(SyntaxKind.AbstractKeyword)
            || node is BasePropertyDeclarationSyntax { ExplicitInterfaceSpecifier: not null } or MethodDeclarationSyntax { ExplicitInterfaceSpecifier: not null }
            || node.Parent is ExtensionBlockDeclarationSyntax or not TypeDeclarationSyntax)
        {
            problems.Add(Descriptors.NotPartial, symbol.Name);
            return;
        }

        (ITypeSymbol type, bool hasParameters, bool isImplemented) = symbol switch
        {
            IMethodSymbol method => (
                method.ReturnType,
                method.Parameters.Length > 0 || method.TypeParameters.Length > 0,
                !method.IsPartialDefinition || method.PartialImplementationPart is not null),
            IPropertySymbol property => (
                property.Type,
                property.Parameters.Length > 0,
                !property.IsPartialDefinition || property.PartialImplementationPart is not null || node is PropertyDeclarationSyntax { Initializer: not null }),
            _ => throw new InvalidOperationException(symbol.Kind.ToString()),
        };

        bool byReference = symbol is IMethodSymbol { RefKind: not RefKind.None } or IPropertySymbol { RefKind: not RefKind.None };
        if (byReference
            || type.NullableAnnotation == NullableAnnotation.Annotated
            || !IsKernel(type))
        {
            problems.Add(Descriptors.WrongType, symbol.Name, $"{(byReference ? "ref " : string.Empty)}{type.ToDisplayString(SymbolDisplayFormat.CSharpShortErrorMessageFormat)}");
        }

        if (hasParameters || node is IndexerDeclarationSyntax)
            problems.Add(Descriptors.HasParameters, symbol.Name);
        if (symbol is IPropertySymbol { SetMethod: not null } or IPropertySymbol { GetMethod: null })
            problems.Add(Descriptors.HasSetter, symbol.Name);
        if (isImplemented)
            problems.Add(Descriptors.AlreadyImplemented, symbol.Name);
    }

    /// <summary>What emitted code needs of the project that it becomes part of.</summary>
    private static void CheckProject(ISymbol symbol, SyntaxNode node, AttributeData attribute, Compilation compilation, Problems problems)
    {
        if (compilation is CSharpCompilation { LanguageVersion: < LanguageVersion.CSharp13 } old)
            problems.Add(Descriptors.LanguageVersionTooOld, symbol.Name, old.LanguageVersion.ToDisplayString());

        // The implementing part must be unsafe too.
        if (node is MemberDeclarationSyntax member && member.Modifiers.Any(SyntaxKind.UnsafeKeyword) && compilation.Options is CSharpCompilationOptions { AllowUnsafe: false })
            problems.Add(Descriptors.UnsafeNotAllowed, symbol.Name);

        // The library declares kernels too, and what their code uses besides.
        if (compilation.AssemblyName == LibraryAssembly)
            return;
        if (EmittedNames.DeclaredIn(compilation.Assembly) is { } name)
            problems.Add(Descriptors.NameIsTaken, symbol.Name, name);
        if (AliasesOf(attribute.AttributeClass!.ContainingAssembly, compilation) is { IsDefaultOrEmpty: false } aliases && !aliases.Any(static alias => alias == MetadataReferenceProperties.GlobalAlias))
            problems.Add(Descriptors.LibraryIsAliased, symbol.Name, aliases[0]);
    }

    private static ImmutableArray<string> AliasesOf(IAssemblySymbol assembly, Compilation compilation) =>
        compilation.GetMetadataReference(assembly)?.Properties.Aliases ?? default;

    /// <summary>By name: where the library is referenced through an alias, the type is no less its.</summary>
    private static bool IsKernel(ITypeSymbol type) =>
        type is INamedTypeSymbol { Name: "AttentionKernel", Arity: 0, ContainingType: null, ContainingNamespace: { Name: "FastAttn", ContainingNamespace.IsGlobalNamespace: true } };

    private static EquatableArray<Container> ParseContainers(ISymbol symbol, SyntaxNode node, Problems problems)
    {
        var containers = new List<Container>();
        foreach (TypeDeclarationSyntax type in node.Ancestors().OfType<TypeDeclarationSyntax>().Where(static type => type is not ExtensionBlockDeclarationSyntax))
        {
            // A name is still to be typed.
            if (type.Identifier.IsMissing || type.TypeParameterList?.Parameters.Any(static parameter => parameter.Identifier.IsMissing) == true)
                return default;
            if (!type.Modifiers.Any(SyntaxKind.PartialKeyword))
                problems.Add(Descriptors.ContainerNotPartial, symbol.Name, type.Identifier.ValueText);
            if (type.Modifiers.Any(SyntaxKind.FileKeyword))
                problems.Add(Descriptors.ContainerFileLocal, symbol.Name, type.Identifier.ValueText);

            string keyword = type is RecordDeclarationSyntax { ClassOrStructKeyword.RawKind: (int)SyntaxKind.StructKeyword } ? "record struct" : type.Keyword.Text;
            IEnumerable<string> parameters = type.TypeParameterList?.Parameters.Select(static parameter => $"{parameter.VarianceKeyword.Text} {Name(parameter.Identifier)}".Trim()) ?? [];
            string list = string.Join(", ", parameters);
            containers.Insert(0, new(keyword, Name(type.Identifier), list.Length == 0 ? string.Empty : $"<{list}>"));
        }

        return new([.. containers]);
    }

    /// <summary>The identifier without unicode escapes, which file names may not have.</summary>
    private static string Name(SyntaxToken identifier) =>
        identifier.Text.StartsWith("@", StringComparison.Ordinal) || SyntaxFacts.GetKeywordKind(identifier.ValueText) != SyntaxKind.None ? $"@{identifier.ValueText}" : identifier.ValueText;

    private static string NamespaceOf(ISymbol symbol) => symbol.ContainingNamespace is { IsGlobalNamespace: false } containing
        ? containing.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat.WithGlobalNamespaceStyle(SymbolDisplayGlobalNamespaceStyle.Omitted))
        : string.Empty;
}
