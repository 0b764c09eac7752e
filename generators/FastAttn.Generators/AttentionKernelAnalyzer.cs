using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Generators.Diagnostics;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace FastAttn.Generators;

/// <summary>Reports, at the attribute, why <see cref="AttentionKernelGenerator"/> does not implement a member.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class AttentionKernelAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
    [
        Descriptors.NotPartial,
        Descriptors.WrongType,
        Descriptors.HasParameters,
        Descriptors.HasSetter,
        Descriptors.ContainerNotPartial,
        Descriptors.HeadDimensionOutOfRange,
        Descriptors.ValueDimensionOutOfRange,
        Descriptors.UnknownMask,
        Descriptors.LanguageVersionTooOld,
        Descriptors.ContainerFileLocal,
        Descriptors.AlreadyImplemented,
        Descriptors.UnknownFeature,
        Descriptors.ContradictoryFeatures,
    ];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterSyntaxNodeAction(Analyze, SyntaxKind.Attribute);
    }

    private static void Analyze(SyntaxNodeAnalysisContext context)
    {
        if (context.Node is not AttributeSyntax { Parent: AttributeListSyntax { Parent: { } node } } syntax
            || context.SemanticModel.GetDeclaredSymbol(node, context.CancellationToken) is not { } symbol)
        {
            return;
        }

        AttributeData? attribute = symbol.GetAttributes().FirstOrDefault(data =>
            data.AttributeClass?.ToDisplayString() == DeclarationParser.FixedAttribute
            && data.ApplicationSyntaxReference is { } reference
            && reference.SyntaxTree == syntax.SyntaxTree
            && reference.Span == syntax.Span);
        if (attribute is null)
            return;

        var problems = new List<Problem>();
        _ = DeclarationParser.Parse(symbol, node, attribute, context.Compilation, problems);
        foreach (Problem problem in problems)
            context.ReportDiagnostic(Diagnostic.Create(problem.Descriptor, syntax.GetLocation(), problem.Arguments));
    }
}
