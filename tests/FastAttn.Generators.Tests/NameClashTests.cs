using System.Collections.Generic;
using System.Globalization;
using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>Emitted code means the framework's and the library's names, whatever else bears them in the user's project.</summary>
public sealed class NameClashTests
{
    /// <summary>Every simple name that an emitted file uses, and some that it might.</summary>
    private static readonly string[] Names =
    [
        "Vector512", "Vector256", "Vector128", "VecF", "Vec", "Unsafe", "MethodImpl", "MethodImplOptions", "GeneratedCode",
        "TileDriver", "IAttentionTiles", "Lanes16", "Lanes8", "Lanes4", "Lanes1", "IKernelSpec", "Spec", "F32_D64", "F32_D64_Avx2",
    ];

    /// <summary>In the namespaces around the emitted types, and in the user's.</summary>
    private static readonly string[] Scopes = ["", "namespace Acme;", "namespace FastAttn;"];

    private static readonly string[] Namespaces =
    [
        "Acme.System", "Acme.FastAttn", "Acme.FastAttn.Generated", "Acme.Microsoft.CodeAnalysis",
        "System", "FastAttn", "FastAttn.System", "FastAttn.FastAttn", "FastAttn.Runtime", "FastAttn.Generated", "FastAttn.Generated.System",
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
