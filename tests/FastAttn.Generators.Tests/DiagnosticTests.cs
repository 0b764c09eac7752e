using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>What is wrong is said at the attribute, and nothing is emitted for it.</summary>
public sealed class DiagnosticTests
{
    [Theory]
    [InlineData("static AttentionKernel K { get; }")]
    [InlineData("static AttentionKernel K() => null!;")]
    [InlineData("static AttentionKernel K => null!;")]
    public void A_member_that_is_not_partial(string member) => AssertReports(
        Type(member),
        ("FATTN001", "'K' must be a partial get-only property or a partial parameterless method: 'static partial AttentionKernel K { get; }'"));

    [Theory]
    [InlineData("static partial string K { get; }", "string")]
    [InlineData("static partial AttentionKernel? K { get; }", "AttentionKernel?")]
    [InlineData("public static partial AttentionKernel? K();", "AttentionKernel?")]
    [InlineData("static partial ref AttentionKernel K { get; }", "ref AttentionKernel")]
    [InlineData("public static partial ref readonly AttentionKernel K();", "ref AttentionKernel")]
    [InlineData("static partial void K();", "void")]
    [InlineData("static partial dynamic K { get; }", "dynamic")]
    [InlineData("static partial AttentionKernel[] K { get; }", "AttentionKernel[]")]
    [InlineData("static partial Missing K { get; }", "Missing")]
    public void Another_type(string member, string type) => AssertReports(
        Type(member),
        ("FATTN002", $"'K' must return 'FastAttn.AttentionKernel', not '{type}'"));

    [Theory]
    [InlineData("public static partial AttentionKernel K(int size);", "K")]
    [InlineData("public static partial AttentionKernel K<T>();", "K")]
    [InlineData("public static partial AttentionKernel K(params int[] sizes);", "K")]
    [InlineData("partial AttentionKernel this[int i] { get; }", "this[]")]
    public void Parameters(string member, string name) => AssertReports(
        Type(member),
        ("FATTN003", $"'{name}' must have neither parameters nor type parameters: the kernel is chosen at compile time"));

    [Theory]
    [InlineData("static partial AttentionKernel K { get; set; }")]
    [InlineData("static partial AttentionKernel K { get; private set; }")]
    [InlineData("partial AttentionKernel K { get; init; }")]
    [InlineData("static partial AttentionKernel K { set; }")]
    public void Another_accessor_than_get(string member) => AssertReports(
        Type(member),
        ("FATTN004", "'K' must have a get accessor and no other: remove 'set' or 'init'"));

    [Fact]
    public void Types_that_are_not_partial() => AssertReports(
        "using FastAttn; class Outer { partial class Middle { struct Inner { [AttentionKernel(64)] static partial AttentionKernel K { get; } } } }",
        ("FATTN005", "Declare the containing type 'Inner' as partial, so that 'K' can be implemented"),
        ("FATTN005", "Declare the containing type 'Outer' as partial, so that 'K' can be implemented"));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-1", -1)]
    [InlineData("1025", 1025)]
    [InlineData("int.MaxValue", int.MaxValue)]
    [InlineData("int.MinValue", int.MinValue)]
    [InlineData("headDim: 0, ValueDim = 64", 0)]
    public void A_head_dimension_out_of_range(string arguments, int dimension) => AssertReports(
        Type("static partial AttentionKernel K { get; }", arguments),
        ("FATTN006", $"The head dimension of 'K' is {dimension}; it must be 1 to 1024"));

    [Theory]
    [InlineData(0)]
    [InlineData(-7)]
    [InlineData(1025)]
    public void A_value_dimension_out_of_range(int dimension) => AssertReports(
        Type("static partial AttentionKernel K { get; }", $"64, ValueDim = {dimension}"),
        ("FATTN007", $"ValueDim of 'K' is {dimension}; it must be 1 to 1024, or left out where it equals the head dimension"));

    [Theory]
    [InlineData("(AttentionMask)2", 2)]
    [InlineData("(AttentionMask)(-1)", -1)]
    public void A_mask_that_is_not_defined(string mask, int value) => AssertReports(
        Type("static partial AttentionKernel K { get; }", $"64, Mask = {mask}"),
        ("FATTN008", $"Mask of 'K' is {value}; use a member of AttentionMask: None or Causal"));

    [Theory]
    [InlineData("(AttentionFeatures)512", 512)]
    [InlineData("AttentionFeatures.Sinks | (AttentionFeatures)(-1)", -1)]
    public void A_feature_that_is_not_defined(string features, int value) => AssertReports(
        Type("static partial AttentionKernel K { get; }", $"64, Features = {features}"),
        ("FATTN012", $"Features of 'K' are {value}; combine members of AttentionFeatures"));

    [Theory]
    [InlineData("static partial AttentionKernel K { get; }", LanguageVersion.CSharp12, "12.0")]
    [InlineData("public static partial AttentionKernel K();", LanguageVersion.CSharp12, "12.0")]
    [InlineData("static partial AttentionKernel K { get; }", LanguageVersion.CSharp7_3, "7.3")]
    public void A_language_version_without_partial_properties(string member, LanguageVersion version, string text) => AssertReports(
        new Consumer { LanguageVersion = version, Nullable = NullableContextOptions.Disable },
        Type(member),
        ("FATTN009", $"'K' needs C# 13 or later; this project compiles as C# {text}: remove <LangVersion> or raise it"));

    [Fact]
    public void A_file_local_type() => AssertReports(
        "using FastAttn; file partial class Local { partial class Inner { [AttentionKernel(64)] public static partial AttentionKernel K { get; } } }",
        ("FATTN010", "'K' cannot be implemented in another file, since the containing type 'Local' is file-local: remove 'file'"));

    [Theory]
    [InlineData("static partial AttentionKernel K { get; } static partial AttentionKernel K => null!;")]
    [InlineData("public static partial AttentionKernel K(); public static partial AttentionKernel K() => null!;")]
    [InlineData("public static partial AttentionKernel K() { return null!; } public static partial AttentionKernel K();")]
    [InlineData("static partial AttentionKernel K { get => null!; } static partial AttentionKernel K { get; }")]
    [InlineData("static partial AttentionKernel K => null!;")]
    [InlineData("static partial AttentionKernel K { get => null!; }")]
    [InlineData("static partial AttentionKernel K { get { return null!; } }")]
    [InlineData("public static partial AttentionKernel K() => null!;")]
    [InlineData("public static extern partial AttentionKernel K();")]
    [InlineData("static partial AttentionKernel K { get; } = null!;")]
    public void An_implementation_by_hand(string members) => AssertReports(
        Type(members),
        ("FATTN011", "'K' has an implementation; declare it without one and leave it to the generator"));

    [Theory]
    [InlineData("static unsafe partial AttentionKernel K { get; }")]
    [InlineData("unsafe public static partial AttentionKernel K();")]
    public void An_unsafe_member_in_a_project_without_unsafe_code(string member) => AssertReports(
        Type(member),
        ("FATTN015", "'K' is unsafe, and so would its implementation be, but the project does not set AllowUnsafeBlocks: remove 'unsafe', which a kernel does not need"));

    [Fact]
    public void A_library_that_is_referenced_through_an_alias_alone() => AssertReports(
        new Consumer { LibraryAliases = "Attention" },
        "extern alias Attention; using Attention::FastAttn; partial class Kernels { [AttentionKernel(64)] static partial AttentionKernel K { get; } }",
        ("FATTN016", "'K' cannot be implemented, since FastAttn is referenced through the alias 'Attention' alone and emitted code names it 'global::FastAttn': add 'global' to the reference's Aliases"));

    [Fact]
    public void Several_problems_of_one_member() => AssertReports(
        new Consumer { LanguageVersion = LanguageVersion.CSharp12 },
        "using FastAttn; class Kernels { [AttentionKernel(0, ValueDim = 2000, Mask = (AttentionMask)9)] public static partial string K(int size); }",
        ("FATTN002", "'K' must return 'FastAttn.AttentionKernel', not 'string'"),
        ("FATTN003", "'K' must have neither parameters nor type parameters: the kernel is chosen at compile time"),
        ("FATTN005", "Declare the containing type 'Kernels' as partial, so that 'K' can be implemented"),
        ("FATTN006", "The head dimension of 'K' is 0; it must be 1 to 1024"),
        ("FATTN007", "ValueDim of 'K' is 2000; it must be 1 to 1024, or left out where it equals the head dimension"),
        ("FATTN008", "Mask of 'K' is 9; use a member of AttentionMask: None or Causal"),
        ("FATTN009", "'K' needs C# 13 or later; this project compiles as C# 12.0: remove <LangVersion> or raise it"));

    [Fact]
    public void A_mistake_does_not_stop_the_other_members()
    {
        GeneratorRun run = GeneratorRun.Of(Source.Kernels(
            Source.Property("8", "First"),
            Source.Property("8000", "Wrong"),
            Source.Property("8", "Last")));

        Assert.Contains("Acme.Kernels.First.g.cs", run.Files.Keys);
        Assert.Contains("Acme.Kernels.Last.g.cs", run.Files.Keys);
        Assert.DoesNotContain("Acme.Kernels.Wrong.g.cs", run.Files.Keys);
        Diagnostic diagnostic = Assert.Single(run.Diagnostics);
        Assert.Equal("AttentionKernel(8000)", run.TextAt(diagnostic));
    }

    /// <summary>Nor is it said twice.</summary>
    [Fact]
    public void Other_attributes_of_the_member_do_not_matter() => AssertReports(
        "using FastAttn; partial class Kernels { [System.Obsolete, AttentionKernel(0)] [System.CLSCompliant(false)] static partial AttentionKernel K { get; } }",
        ("FATTN006", "The head dimension of 'K' is 0; it must be 1 to 1024"));

    [Fact]
    public void A_mistake_in_generated_source_is_reported_too() => AssertReports(
        $"// <auto-generated/>\n{Type("static partial AttentionKernel K { get; }", "0")}",
        ("FATTN006", "The head dimension of 'K' is 0; it must be 1 to 1024"));

    /// <summary>What the compiler says is enough where the attribute's own arguments are wrong.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("\"64\"")]
    [InlineData("64L")]
    [InlineData("null")]
    [InlineData("new[] { 64 }")]
    [InlineData("new int[0]")]
    [InlineData("typeof(int)")]
    [InlineData("64, 64")]
    [InlineData("64, Value = 3")]
    [InlineData("64, ValueDim = \"3\"")]
    [InlineData("64, ValueDim = new[] { 3 }")]
    [InlineData("64, Mask = new[] { AttentionMask.None }")]
    [InlineData("64, Mask = AttentionMask.Missing")]
    [InlineData("headDim: null")]
    [InlineData("dim: 64")]
    [InlineData("checked(int.MaxValue + 1)")]
    public void Arguments_that_do_not_compile_break_nothing(string arguments)
    {
        GeneratorRun run = GeneratorRun.Of(Type("static partial AttentionKernel K { get; }", arguments));

        Assert.NotEmpty(run.Output.GetDeclarationDiagnostics(TestContext.Current.CancellationToken));
        Assert.DoesNotContain(run.Diagnostics, static diagnostic => diagnostic.Id != "FATTN006");
    }

    private static string Type(string member, string arguments = "64") =>
        $"using FastAttn; partial class Kernels {{ [AttentionKernel({arguments})] {member} }}";

    private static void AssertReports(string source, params IEnumerable<(string Id, string Message)> expected) => AssertReports(new Consumer(), source, expected);

    private static void AssertReports(Consumer consumer, string source, params IEnumerable<(string Id, string Message)> expected)
    {
        GeneratorRun run = GeneratorRun.Of(consumer.Compile(source));

        Assert.Empty(run.Files);
        Assert.Equal(expected, run.Diagnostics.Select(static diagnostic => (diagnostic.Id, diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture))).Order());
        Assert.All(run.Diagnostics, diagnostic =>
        {
            Assert.StartsWith("AttentionKernel(", run.TextAt(diagnostic), StringComparison.Ordinal);
            Assert.EndsWith(")", run.TextAt(diagnostic), StringComparison.Ordinal);
            Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        });
    }
}
