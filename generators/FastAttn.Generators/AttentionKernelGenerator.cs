using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Text;

using FastAttn.Generators.Diagnostics;
using FastAttn.Generators.Dialects;
using FastAttn.Generators.Emit;
using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace FastAttn.Generators;

/// <summary>
/// Implements members annotated with <c>[AttentionKernel]</c>: attribute → declaration → spec → plan for each instruction
/// set → source. Declarations of the same spec share a kernel, kernels of the same dimensions their sizes, all kernels the tiles. The library asks
/// for the tiles of its matrix product with an attribute of its own.
/// </summary>
/// <remarks>
/// What is wrong with a declaration is reported here and not by an analyzer: a member without an implementing part is a declaration
/// error (CS9248), with which the compiler leaves analyzers' diagnostics out, so that a build would never say why.
/// </remarks>
[Generator(LanguageNames.CSharp)]
public sealed class AttentionKernelGenerator : IIncrementalGenerator
{
    private static readonly Encoding Utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<ParsedMember> parsed = Members(context, DeclarationParser.FixedAttribute);
        IncrementalValuesProvider<KernelDeclaration> declarations = Declarations(parsed, Steps.Declarations);
        IncrementalValuesProvider<KernelDeclaration> anyDimension = Declarations(Members(context, DeclarationParser.AnyDimensionAttribute), Steps.AnyDimensionDeclarations);
        IncrementalValueProvider<ImmutableArray<KernelDeclaration>> all = declarations.Collect().Combine(anyDimension.Collect())
            .Select(static (pair, _) => pair.Left.AddRange(pair.Right));

        IncrementalValuesProvider<MemberFile> members = all.SelectMany(static (declarations, _) => MemberFile.For(declarations)).WithTrackingName(Steps.Members);

        IncrementalValueProvider<Target> target = context.AnalyzerConfigOptionsProvider.Combine(context.CompilationProvider).Select(TargetParser.Parse).WithTrackingName(Steps.Target);
        IncrementalValuesProvider<EmittedKernel> kernels = all.Combine(target).SelectMany(static (pair, _) => Kernels(pair.Left, pair.Right)).WithTrackingName(Steps.Kernels);
        IncrementalValuesProvider<KernelPlan> plans = all.Combine(target).SelectMany(static (pair, _) => Plans(pair.Left, pair.Right)).WithTrackingName(Steps.Plans);
        IncrementalValuesProvider<SharedTiles> tiles = plans.Collect().SelectMany(static (plans, _) => Tiles(plans)).WithTrackingName(Steps.Tiles);

        IncrementalValuesProvider<ProductPlan> products = context.SyntaxProvider
            .ForAttributeWithMetadataName(DeclarationParser.ProductAttribute, static (_, _) => true, static (_, _) => true)
            .Collect()
            .SelectMany(static (declared, _) => declared.IsEmpty ? [] : ProductPlans())
            .WithTrackingName(Steps.Products);
        IncrementalValuesProvider<EquatableArray<ProductPlan>> productDriver = products.Collect()
            .SelectMany(static (plans, _) => plans.IsEmpty ? [] : ImmutableArray.Create(new EquatableArray<ProductPlan>(plans)))
            .WithTrackingName(Steps.ProductDriver);

        IncrementalValuesProvider<Problem> problems = parsed.SelectMany(static (member, _) => member.Problems).WithTrackingName(Steps.Problems);
        IncrementalValuesProvider<Problem> targetProblems = target.SelectMany(static (target, _) => target.Problems);

        context.RegisterSourceOutput(problems, static (output, problem) => output.ReportDiagnostic(problem.ToDiagnostic()));
        context.RegisterSourceOutput(targetProblems, static (output, problem) => output.ReportDiagnostic(problem.ToDiagnostic()));
        context.RegisterSourceOutput(members, static (output, member) => Add(output, member.FileName, MemberEmitter.Emit(member.Declaration)));
        context.RegisterSourceOutput(kernels, static (output, kernel) => Add(output, kernel.Spec.ClassName, KernelEmitter.Emit(kernel)));
        context.RegisterSourceOutput(plans, static (output, plan) => Add(output, plan.StructName, AttentionTilesEmitter.Emit(plan)));
        context.RegisterSourceOutput(tiles, static (output, tiles) => Add(output, tiles.ClassName, AttentionTilesEmitter.Emit(tiles)));
        context.RegisterSourceOutput(products, static (output, plan) => Add(output, plan.StructName, ProductTilesEmitter.Emit(plan)));
        context.RegisterSourceOutput(productDriver, static (output, plans) => Add(output, ProductDriverEmitter.ClassName, ProductDriverEmitter.Emit(plans)));
    }

    private static IncrementalValuesProvider<ParsedMember> Members(IncrementalGeneratorInitializationContext context, string attribute) =>
        context.SyntaxProvider.ForAttributeWithMetadataName(attribute, static (_, _) => true, DeclarationParser.Parse);

    private static IncrementalValuesProvider<KernelDeclaration> Declarations(IncrementalValuesProvider<ParsedMember> members, string step) =>
        members.Where(static member => member.Declaration is not null).Select(static (member, _) => member.Declaration!).WithTrackingName(step);

    private static IEnumerable<EmittedKernel> Kernels(ImmutableArray<KernelDeclaration> declarations, Target target) =>
        declarations.Select(static declaration => declaration.Spec).Distinct().Select(spec => new EmittedKernel(spec, target.Dialects));

    private static IEnumerable<KernelPlan> Plans(ImmutableArray<KernelDeclaration> declarations, Target target)
    {
        foreach (Dimensions dimensions in declarations.Select(static declaration => declaration.Spec.Dimensions).Distinct())
        {
            foreach (Dialect dialect in target.Dialects)
                yield return KernelPlan.Of(dimensions, dialect);
        }
    }

    private static IEnumerable<SharedTiles> Tiles(ImmutableArray<KernelPlan> plans)
    {
        IEnumerable<KernelPlan> ofFixed = plans.Where(static plan => plan.Dimensions.AreFixed);
        return ofFixed.Select(SharedTiles.ScoresOf).Concat(ofFixed.Select(SharedTiles.ValuesOf)).Distinct().OrderBy(static tiles => tiles.ClassName, StringComparer.Ordinal);
    }

    private static IEnumerable<ProductPlan> ProductPlans()
    {
        foreach (Dialect dialect in Dialect.All.ToArray())
            yield return ProductPlan.Of(dialect);
    }

    private static void Add(SourceProductionContext context, string name, string source) =>
        context.AddSource($"{name}.g.cs", SourceText.From(source, Utf8));

    /// <summary>The names of the pipeline's steps, for tests.</summary>
    internal static class Steps
    {
        public const string Declarations = nameof(Declarations);
        public const string AnyDimensionDeclarations = nameof(AnyDimensionDeclarations);
        public const string Problems = nameof(Problems);
        public const string Members = nameof(Members);
        public const string Target = nameof(Target);
        public const string Kernels = nameof(Kernels);
        public const string Plans = nameof(Plans);
        public const string Tiles = nameof(Tiles);
        public const string Products = nameof(Products);
        public const string ProductDriver = nameof(ProductDriver);
    }
}
