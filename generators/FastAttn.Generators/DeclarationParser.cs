using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Diagnostics;
using FastAttn.Generators.Emit;
using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace FastAttn.Generators;

/// <summary>
/// Reads an annotated member: the generator takes the declaration, the analyzer what is wrong with it. There is a
/// declaration only if nothing is wrong.
/// </summary>
internal static class DeclarationParser
{
    public const string FixedAttribute = "FastAttn.AttentionKernelAttribute";
    public const string AnyDimensionAttribute = "FastAttn.AnyDimensionKernelAttribute";
    public const string ProductAttribute = "FastAttn.ProductTilesAttribute";
    private const string KernelType = "FastAttn.AttentionKernel";

    /// <summary>Returns the declaration, or null; adds what is wrong to <paramref name="problems"/>.</summary>
    /// <param name="symbol">The annotated member.</param>
    /// <param name="node">The part of it that carries the attribute.</param>
    /// <param name="attribute">The attribute.</param>
    /// <param name="compilation">What it is part of.</param>
    /// <param name="problems">Receives problems; null if nobody asks.</param>
    public static KernelDeclaration? Parse(ISymbol symbol, SyntaxNode node, AttributeData attribute, Compilation compilation, ICollection<Problem>? problems = null)
    {
        var found = new List<Problem>();
        KernelSpec? spec = ParseSpec(symbol, attribute, found);
        CheckMember(symbol, node, compilation, found);
        EquatableArray<Container> containers = ParseContainers(symbol, node, found);
        if (compilation is CSharpCompilation { LanguageVersion: < LanguageVersion.CSharp13 } old)
            found.Add(new(Descriptors.LanguageVersionTooOld, symbol.Name, old.LanguageVersion.ToDisplayString()));

        foreach (Problem problem in found)
            problems?.Add(problem);
        if (spec is null || found.Count > 0 || node is not MemberDeclarationSyntax member || containers.Any(static container => container.Name.Length == 0))
            return null;

        string name = Name(member is PropertyDeclarationSyntax property ? property.Identifier : ((MethodDeclarationSyntax)member).Identifier);
        IEnumerable<string> modifiers = member.Modifiers.Where(static modifier => !modifier.IsKind(SyntaxKind.PartialKeyword)).Select(static modifier => modifier.Text);
        return new(spec.Value, NamespaceOf(symbol), containers, string.Join(" ", modifiers.Append("partial")), name, IsMethod: symbol is IMethodSymbol);
    }

    private static KernelSpec? ParseSpec(ISymbol symbol, AttributeData attribute, List<Problem> problems)
    {
        bool isFixed = attribute.AttributeClass?.ToDisplayString() == FixedAttribute;
        int head = Dimensions.AtRunTime;
        if (isFixed)
        {
            // Otherwise the attribute itself does not compile.
            if (attribute.ConstructorArguments is not [{ Value: int headArgument }])
                return null;
            head = headArgument;
            if (head is < 1 or > Dimensions.Max)
                problems.Add(new(Descriptors.HeadDimensionOutOfRange, symbol.Name, $"{head}"));
        }

        int value = head, mask = (int)MaskKind.None, features = (int)KernelFeatures.None;
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            if (argument is { Key: "ValueDim", Value.Value: int valueArgument })
            {
                value = valueArgument;
                if (value is < 1 or > Dimensions.Max)
                    problems.Add(new(Descriptors.ValueDimensionOutOfRange, symbol.Name, $"{value}"));
            }
            else if (argument is { Key: "Mask", Value.Value: int maskArgument })
            {
                mask = maskArgument;
                if (!Enum.IsDefined(typeof(MaskKind), mask))
                    problems.Add(new(Descriptors.UnknownMask, symbol.Name, $"{mask}"));
            }
            else if (argument is { Key: "Features", Value.Value: int featuresArgument })
            {
                features = featuresArgument;
                if ((features & ~(int)KernelFeatures.All) != 0)
                    problems.Add(new(Descriptors.UnknownFeature, symbol.Name, $"{features}"));
            }
        }

        // All of them are for calls to choose from; two by name are a mistake.
        const KernelFeatures Lengths = KernelFeatures.KeyLengths | KernelFeatures.Ragged;
        if (features is not (int)KernelFeatures.All and >= 0 and <= (int)KernelFeatures.All && ((KernelFeatures)features & Lengths) == Lengths)
            problems.Add(new(Descriptors.ContradictoryFeatures, symbol.Name, $"{KernelFeatures.KeyLengths}", $"{KernelFeatures.Ragged}"));

        return new(new(head, value), (MaskKind)mask, (KernelFeatures)features);
    }

    private static void CheckMember(ISymbol symbol, SyntaxNode node, Compilation compilation, List<Problem> problems)
    {
        if (node is not (PropertyDeclarationSyntax or IndexerDeclarationSyntax or MethodDeclarationSyntax)
            || !((MemberDeclarationSyntax)node).Modifiers.Any(SyntaxKind.PartialKeyword)
            || node.Parent is ExtensionBlockDeclarationSyntax or not TypeDeclarationSyntax)
        {
            problems.Add(new(Descriptors.NotPartial, symbol.Name));
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
            || !SymbolEqualityComparer.Default.Equals(type, compilation.GetTypeByMetadataName(KernelType)))
        {
            problems.Add(new(Descriptors.WrongType, symbol.Name, $"{(byReference ? "ref " : string.Empty)}{type.ToDisplayString(SymbolDisplayFormat.CSharpShortErrorMessageFormat)}"));
        }

        if (hasParameters || node is IndexerDeclarationSyntax)
            problems.Add(new(Descriptors.HasParameters, symbol.Name));
        if (symbol is IPropertySymbol { SetMethod: not null } or IPropertySymbol { GetMethod: null })
            problems.Add(new(Descriptors.HasSetter, symbol.Name));
        if (isImplemented && !IsEmitted(symbol))
            problems.Add(new(Descriptors.AlreadyImplemented, symbol.Name));
    }

    /// <summary>Whether the implementing part is the generator's own, as the analyzer sees it.</summary>
    private static bool IsEmitted(ISymbol symbol) => symbol.GetAttributes().Any(static attribute =>
        attribute is { AttributeClass.Name: "GeneratedCodeAttribute", ConstructorArguments: [{ Value: Header.Tool }, ..] });

    private static EquatableArray<Container> ParseContainers(ISymbol symbol, SyntaxNode node, List<Problem> problems)
    {
        var containers = new List<Container>();
        foreach (TypeDeclarationSyntax type in node.Ancestors().OfType<TypeDeclarationSyntax>().Where(static type => type is not ExtensionBlockDeclarationSyntax))
        {
            if (!type.Modifiers.Any(SyntaxKind.PartialKeyword))
                problems.Add(new(Descriptors.ContainerNotPartial, symbol.Name, type.Identifier.ValueText));
            if (type.Modifiers.Any(SyntaxKind.FileKeyword))
                problems.Add(new(Descriptors.ContainerFileLocal, symbol.Name, type.Identifier.ValueText));

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
