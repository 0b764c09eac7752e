using System.IO;
using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>Emitted files compile in other people's projects, whatever their settings: always with every warning as an error.</summary>
public sealed class ConsumerTests
{
    private static readonly string Kernels = Source.Properties("31, ValueDim = 100", "31, ValueDim = 100, Mask = AttentionMask.Causal");

    [Theory]
    [InlineData(LanguageVersion.CSharp13)]
    [InlineData(LanguageVersion.CSharp14)]
    [InlineData(LanguageVersion.Latest)]
    [InlineData(LanguageVersion.Preview)]
    public void Any_language_version_from_13_compiles(LanguageVersion version) => AssertCompiles(new Consumer { LanguageVersion = version });

    [Theory]
    [InlineData(NullableContextOptions.Disable)]
    [InlineData(NullableContextOptions.Annotations)]
    [InlineData(NullableContextOptions.Warnings)]
    [InlineData(NullableContextOptions.Enable)]
    public void Any_nullable_context_compiles(NullableContextOptions nullable) => AssertCompiles(new Consumer { Nullable = nullable });

    /// <summary>Their author has said so, and cannot in an emitted file.</summary>
    [Fact]
    public void Names_and_modifiers_that_the_compiler_warns_of_compile() => AssertCompiles(new Consumer(), """
        #pragma warning disable CS8981, CS0628 // A lower-case name; a protected member in a sealed class.
        using FastAttn;

        sealed partial class kernels
        {
            [AttentionKernel(64)] protected partial AttentionKernel K { get; }
        }
        """);

    [Fact]
    public void Checked_arithmetic_compiles() => AssertCompiles(new Consumer { CheckOverflow = true });

    [Theory]
    [InlineData("public static unsafe partial AttentionKernel K { get; }")]
    [InlineData("public static unsafe partial AttentionKernel K();")]
    public void Unsafe_members_and_types_compile(string member) =>
        AssertCompiles(new Consumer { AllowUnsafe = true }, $"using FastAttn; unsafe partial class C {{ [AttentionKernel(8)] {member} }}");

    /// <summary>What the compiler says of the declaration is enough.</summary>
    [Fact]
    public void An_unsafe_type_in_a_project_without_unsafe_code_has_no_error_in_an_emitted_file()
    {
        GeneratorRun run = GeneratorRun.Of("using FastAttn; unsafe partial class C { [AttentionKernel(8)] static partial AttentionKernel K { get; } }");

        Diagnostic error = Assert.Single(run.Output.GetDiagnostics(TestContext.Current.CancellationToken), static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        Assert.Equal("CS0227", error.Id);
        Assert.EndsWith("File0.cs", error.Location.GetLineSpan().Path, System.StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_with_a_further_alias_compiles() => AssertCompiles(new Consumer { LibraryAliases = "global,Attention" });

    [Fact]
    public void An_oblivious_member_in_a_nullable_project_compiles() => AssertCompiles(new Consumer(), "#nullable disable\n" + Kernels);

    [Fact]
    public void Implicit_usings_compile() => AssertCompiles(new Consumer(), Kernels, """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Numerics;
        global using System.Runtime.Intrinsics;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using static System.Math;
        """);

    [Fact]
    public void An_executable_with_top_level_statements_compiles() => AssertCompiles(
        new Consumer { OutputKind = OutputKind.ConsoleApplication },
        Kernels,
        "System.Console.WriteLine(Acme.Kernels.K0.HeadDim);");

    [Fact]
    public void A_project_that_requires_documentation_compiles() => AssertCompiles(new Consumer { RequiresDocumentation = true }, """
        using FastAttn;

        /// <summary>Ours.</summary>
        public static partial class Kernels
        {
            /// <summary>Ours.</summary>
            [AttentionKernel(64)] public static partial AttentionKernel Full { get; }
        }
        """);

    [Theory]
    [InlineData("static partial AttentionKernel K { get; }")]
    [InlineData("internal static partial AttentionKernel K();")]
    public void The_users_documentation_is_kept(string member)
    {
        GeneratorRun run = GeneratorRun.Of($"using FastAttn; partial class C {{\n/// <summary>Ours.</summary>\n[AttentionKernel(8)] {member}\n}}");

        Assert.Contains("Ours.", run.Output.GetTypeByMetadataName("C")!.GetMembers("K").Single().GetDocumentationCommentXml(cancellationToken: TestContext.Current.CancellationToken), System.StringComparison.Ordinal);
    }

    [Fact]
    public void A_project_that_complies_with_the_CLS_compiles() => AssertCompiles(new Consumer(), "[assembly: global::System.CLSCompliant(true)]", Kernels.Replace("public", "internal", System.StringComparison.Ordinal));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_same_kernels_in_a_visible_assembly_are_no_conflict(bool isMetadata)
    {
        const string InternalsVisible = """[assembly: global::System.Runtime.CompilerServices.InternalsVisibleTo("Consumer")]""";
        GeneratorRun core = GeneratorRun.Of(new Consumer { AssemblyName = "Core" }.Compile(InternalsVisible, Kernels));
        using MemoryStream assembly = core.Emit();

        MetadataReference reference = isMetadata ? MetadataReference.CreateFromStream(assembly) : core.Output.ToMetadataReference();
        AssertCompiles(new Consumer { References = [reference] }, Kernels.Replace("Acme", "Shop", System.StringComparison.Ordinal));
    }

    /// <summary>A package reaches projects that declare nothing: there must be nothing to clash with.</summary>
    [Fact]
    public void Nothing_is_emitted_without_a_declaration() => Assert.Empty(GeneratorRun.Of("class C;").Files);

    private static void AssertCompiles(Consumer consumer, params string[] sources)
    {
        GeneratorRun run = GeneratorRun.Of(consumer.Compile(sources.Length == 0 ? [Kernels] : sources));
        Assert.NotEmpty(run.Files);
        run.AssertCompilesCleanly();
    }
}
