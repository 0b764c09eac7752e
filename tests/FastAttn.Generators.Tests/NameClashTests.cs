using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>Emitted code means the framework's and the library's names, whatever else bears them in the user's project.</summary>
public sealed class NameClashTests
{
    /// <summary>Every simple name that an emitted file uses, and some that it might.</summary>
    private static readonly string[] Names =
    [
        "Vector512", "Vector256", "Vector128", "VecF", "Vec", "Unsafe", "MethodImpl", "MethodImplOptions", "GeneratedCode",
        "TileDriver", "IAttentionTiles", "IKernelSpec", "Spec", "F32_D64", "F32_D64_Avx2",
        "ITileSizes", "TSizes", "F32_ScoresInEqualParts_Avx2", "F32_Values_Avx2",
    ];

    /// <summary>In the namespaces around the emitted types, and in the user's.</summary>
    private static readonly string[] Scopes = ["", "namespace Acme;", "namespace FastAttn;"];

    private static readonly string[] Namespaces =
    [
        "Acme.System", "Acme.FastAttn", "Acme.FastAttn.Generated", "Acme.Microsoft.CodeAnalysis",
        "System", "FastAttn", "FastAttn.System", "FastAttn.FastAttn", "FastAttn.Runtime",
    ];

    private static readonly string[] Types = ["FastAttn", "Generated", "AttentionKernel", "Microsoft"];

    [Theory]
    [InlineData("class {0};")]
    [InlineData("class {0} : global::System.Attribute;")]
    [InlineData("class {0}Attribute : global::System.Attribute;")]
    public void Types_of_the_names_that_emitted_code_uses(string declaration) =>
        AssertCompiles([Kernels("Acme"), .. Scopes.Select(scope => $"{scope}\n{Declare(declaration)}")]);

    [Fact]
    public void Global_aliases_of_the_names_that_emitted_code_uses() => AssertCompiles(Kernels("Acme"), Declare("global using {0} = System.ObsoleteAttribute;"));

    [Fact]
    public void Kernels_in_namespaces_with_a_clashing_part() => AssertCompiles(Namespaces.Select(Kernels));

    [Fact]
    public void Kernels_in_types_with_a_clashing_name() => AssertCompiles(Types.Select(static name => $$"""
        namespace Acme
        {
            partial class {{name}}
            {
                partial class System
                {
                    [global::FastAttn.AttentionKernel(64)] static partial global::FastAttn.AttentionKernel FastAttn { get; }

                    [global::FastAttn.AttentionKernel(64)] public static partial global::FastAttn.AttentionKernel AttentionKernel();
                }
            }
        }
        """));

    [Fact]
    public void Type_parameters_with_a_clashing_name() => AssertCompiles("""
        partial class Outer<System, FastAttn>
        {
            [global::FastAttn.AttentionKernel(64)] static partial global::FastAttn.AttentionKernel Microsoft { get; }
        }
        """);

    /// <summary>Polyfills and other generators declare it, partial or not.</summary>
    [Theory]
    [InlineData("internal sealed partial class EmbeddedAttribute : global::System.Attribute;")]
    [InlineData("internal sealed class EmbeddedAttribute : global::System.Attribute;")]
    public void The_compiler_s_embedded_attribute(string declaration) => AssertCompiles(Kernels("Acme"), $$"""
        namespace Microsoft.CodeAnalysis
        {
            {{declaration}}
        }
        """);

    [Fact]
    public void A_type_that_hides_the_namespace_Microsoft() => AssertCompiles(Kernels("Acme"), "class Microsoft;");

    public static IEnumerable<TheoryDataRow<string>> EmittedTypes { get; } = EmittedNames.Types.Select(static name => new TheoryDataRow<string>(name));

    [Theory]
    [MemberData(nameof(EmittedTypes))]
    public void A_type_that_emitted_code_means(string name) => AssertReports(name, Declaration(name));

    [Theory]
    [InlineData("class System;", "System")]
    [InlineData("namespace System { enum Runtime; }", "System.Runtime")]
    [InlineData("namespace System.Runtime { interface Intrinsics; }", "System.Runtime.Intrinsics")]
    [InlineData("namespace System.CodeDom { struct Compiler; }", "System.CodeDom.Compiler")]
    [InlineData("namespace FastAttn { class Runtime; }", "FastAttn.Runtime")]
    [InlineData("namespace FastAttn { class Generated; }", "FastAttn.Generated")]
    public void A_type_that_hides_a_namespace(string declaration, string name) => AssertReports(name, declaration);

    [Fact]
    public void A_namespace_that_hides_a_type() => AssertReports("System.Runtime.Intrinsics.Vector256", "namespace System.Runtime.Intrinsics.Vector256 { class C; }");

    [Theory]
    [InlineData("class F32_D64;", "F32_D64")]
    [InlineData("class F32_D64_Causal;", "F32_D64_Causal")]
    [InlineData("struct F32_D64_Avx2;", "F32_D64_Avx2")]
    [InlineData("class F32_Values_Avx2<T>;", "F32_Values_Avx2")]
    [InlineData("class Vec;", "Vec")]
    [InlineData("namespace VecF { class C; }", "VecF")]
    [InlineData("public static partial class Kernels { [global::FastAttn.AttentionKernel(8)] static partial global::FastAttn.AttentionKernel K { get; } }", "Kernels")]
    public void The_namespace_of_emitted_types(string declaration, string name) => AssertReports($"FastAttn.Generated.{name}", $"namespace FastAttn.Generated {{ {declaration} }}");

    /// <summary>Neither a type with other type parameters nor one of another file is meant.</summary>
    [Fact]
    public void Types_of_the_same_name_that_emitted_code_cannot_mean() => AssertCompiles(Kernels("Acme"), "file class FastAttn;", """
        class System<T>;

        namespace FastAttn.Generated
        {
            file class F32_D64;
        }

        namespace FastAttn.Runtime
        {
            class TileDriver<T>;
        }
        """);

    [Fact]
    public void Every_type_that_emitted_files_name_is_looked_for()
    {
        GeneratorRun run = GeneratorRun.Of(Kernels("Acme"));
        var named = new SortedSet<string>(StringComparer.Ordinal);
        foreach (SyntaxTree tree in run.Output.SyntaxTrees.Where(static tree => tree.FilePath.EndsWith(".g.cs", StringComparison.Ordinal)))
        {
            SemanticModel model = run.Output.GetSemanticModel(tree);
            IEnumerable<ISymbol?> symbols = tree.GetRoot(TestContext.Current.CancellationToken).DescendantNodes().OfType<SimpleNameSyntax>()
                .Select(name => model.GetSymbolInfo(name, TestContext.Current.CancellationToken).Symbol);
            foreach (ISymbol? symbol in symbols)
            {
                ISymbol? type = symbol is IMethodSymbol { MethodKind: MethodKind.Constructor } ? symbol.ContainingType : symbol;
                if (type is INamedTypeSymbol { ContainingType: null } && !SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, run.Output.Assembly))
                    named.Add($"{type.ContainingNamespace}.{type.MetadataName}");
            }
        }

        Assert.Contains("FastAttn.Runtime.TileDriver", named);
        Assert.Subset(EmittedNames.Types.ToHashSet(), named);
    }

    private static string Declaration(string name)
    {
        int dot = name.LastIndexOf('.');
        string type = name[(dot + 1)..].Replace("`1", "<T>", StringComparison.Ordinal);
        return $"namespace {name[..dot]} {{ class {type}; }}";
    }

    private static void AssertReports(string name, string declaration)
    {
        // Without a using directive, which would not compile itself.
        GeneratorRun run = GeneratorRun.Of(Kernels("Acme"), declaration);

        Assert.Empty(run.Files);
        Assert.NotEmpty(run.Diagnostics);
        Assert.All(run.Diagnostics, diagnostic =>
        {
            Assert.Equal("FATTN014", diagnostic.Id);
            Assert.Contains($"this project declares '{name}' itself", diagnostic.GetMessage(CultureInfo.InvariantCulture), StringComparison.Ordinal);
            Assert.StartsWith("global::FastAttn.AttentionKernel(", run.TextAt(diagnostic), StringComparison.Ordinal);
        });
    }

    private static string Kernels(string @namespace) => $$"""
        namespace {{@namespace}}
        {
            static partial class Kernels
            {
                [global::FastAttn.AttentionKernel(64)] static partial global::FastAttn.AttentionKernel Full64 { get; }

                [global::FastAttn.AttentionKernel(64, Mask = global::FastAttn.AttentionMask.Causal)] internal static partial global::FastAttn.AttentionKernel Causal64();
            }
        }
        """;

    private static string Declare(string format) =>
        string.Join("\n", Names.Select(name => string.Format(CultureInfo.InvariantCulture, format, name)));

    private static void AssertCompiles(params IEnumerable<string> sources)
    {
        GeneratorRun run = GeneratorRun.Of(sources);
        Assert.NotEmpty(run.Files);
        run.AssertCompilesCleanly();
    }
}
