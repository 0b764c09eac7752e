using System.Globalization;
using System.Linq;
using System.Threading.Tasks;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>The attribute on everything that it can be written on: nothing throws, nothing is emitted.</summary>
public sealed class AttributeTargetTests
{
    /// <summary>The compiler lets these pass, so the analyzer must not.</summary>
    [Theory]
    [InlineData("[AttentionKernel(64)] public AttentionKernel this[int i] => null!;", "FATTN001")]
    [InlineData("[AttentionKernel(64)] public partial AttentionKernel this[int i] { get; }", "FATTN003")]
    [InlineData("public AttentionKernel K { [AttentionKernel(64)] get => null!; }", "FATTN001")]
    [InlineData("public partial AttentionKernel K { [AttentionKernel(64)] get; }", "FATTN001")]
    [InlineData("public AttentionKernel K { [AttentionKernel(64)] init { } }", "FATTN001")]
    [InlineData("public event System.Action E { [AttentionKernel(64)] add { } remove { } }", "FATTN001")]
    [InlineData("[AttentionKernel(64)] public static AttentionKernel operator +(C c) => null!;", "FATTN001")]
    [InlineData("[AttentionKernel(64)] public static explicit operator AttentionKernel(C c) => null!;", "FATTN001")]
    [InlineData("[AttentionKernel(64)] public void operator +=(int i) { }", "FATTN001")]
    [InlineData("void M() { [AttentionKernel(64)] AttentionKernel Local() => null!; }", "FATTN001")]
    [InlineData("[AttentionKernel(64)] public async System.Threading.Tasks.Task M() { }", "FATTN001")]
    [InlineData("[AttentionKernel(64)] public extern AttentionKernel M();", "FATTN001")]
    [InlineData("[AttentionKernel(64)] System.Collections.Generic.IEnumerator<int> System.Collections.Generic.IEnumerable<int>.GetEnumerator() => null!;", "FATTN001")]
    [InlineData("[AttentionKernel(64)] AttentionKernel I.K => null!;", "FATTN001")]
    public void Valid_target(string member, string id)
    {
        GeneratorRun run = GeneratorRun.Of($"using FastAttn; interface I {{ AttentionKernel K {{ get; }} }} partial class C {{ {member} }}");

        Assert.Empty(run.Files);
        Assert.Equal(id, Assert.Single(run.Diagnostics).Id);
    }

    /// <summary>Whatever the compiler says of them.</summary>
    [Theory]
    [InlineData("[AttentionKernel(64)] public C() { }")]
    [InlineData("[AttentionKernel(64)] static C() { }")]
    [InlineData("[AttentionKernel(64)] public partial C(); public partial C() { }")]
    [InlineData("[AttentionKernel(64)] ~C() { }")]
    [InlineData("[AttentionKernel(64)] public event System.Action E { add { } remove { } }")]
    [InlineData("[AttentionKernel(64)] public partial event System.Action E { add { } remove { } }")]
    [InlineData("[AttentionKernel(64)] public partial event System.Action E;")]
    [InlineData("[AttentionKernel(64)] public event System.Action E;")]
    [InlineData("[AttentionKernel(64)] public AttentionKernel K, L;")]
    [InlineData("[AttentionKernel(64)] const int K = 1;")]
    [InlineData("[AttentionKernel(64)] class Nested;")]
    [InlineData("[AttentionKernel(64)] partial class Nested;")]
    [InlineData("[AttentionKernel(64)] delegate void D();")]
    [InlineData("enum E { [AttentionKernel(64)] A }")]
    [InlineData("[AttentionKernel(64)] enum E { A }")]
    [InlineData("void M([AttentionKernel(64)] int parameter) { }")]
    [InlineData("void M<[AttentionKernel(64)] T>() { }")]
    [InlineData("[return: AttentionKernel(64)] public partial AttentionKernel M();")]
    [InlineData("[method: AttentionKernel(64)] public partial AttentionKernel K { get; }")]
    [InlineData("[property: AttentionKernel(64)] public AttentionKernel K = null!;")]
    [InlineData("[field: AttentionKernel(64)] public AttentionKernel K { get; } = null!;")]
    [InlineData("[field: AttentionKernel(64)] public partial AttentionKernel K { get; }")]
    [InlineData("[param: AttentionKernel(64)] public AttentionKernel K { set { } }")]
    [InlineData("[unknown: AttentionKernel(64)] public partial AttentionKernel K { get; }")]
    [InlineData("object L = [AttentionKernel(64)] () => 1;")]
    [InlineData("object L = [AttentionKernel(64)] static AttentionKernel (int x) => null!;")]
    [InlineData("object L = ([AttentionKernel(64)] int x) => x;")]
    [InlineData("partial AttentionKernel I.K { [AttentionKernel(64)] get; }")]
    [InlineData("[AttentionKernel(64)] partial AttentionKernel I.K { get; }")]
    [InlineData("[AttentionKernel(64)] partial AttentionKernel I.K();")]
    [InlineData("[AttentionKernel(64)] public abstract partial AttentionKernel K();")]
    [InlineData("partial interface J { [AttentionKernel(64)] static abstract partial AttentionKernel K { get; } }")]
    [InlineData("record R([property: AttentionKernel(64)] AttentionKernel K);")]
    [InlineData("[AttentionKernel(64)]")]
    [InlineData("[AttentionKernel(64)] public partial")]
    [InlineData("[AttentionKernel(64)] public partial AttentionKernel")]
    [InlineData("[AttentionKernel(64)] public partial AttentionKernel { get; }")]
    [InlineData("[AttentionKernel(64)] public partial AttentionKernel ();")]
    [InlineData("[AttentionKernel(64)] abstract partial AttentionKernel K { get; }")]
    public void Any_target(string member)
    {
        GeneratorRun run = GeneratorRun.Of($"using FastAttn; interface I {{ AttentionKernel K {{ get; }} }} partial class C {{ {member} }}");
        AssertNoNewErrors(run);
    }

    [Theory]
    [InlineData("using FastAttn; [assembly: AttentionKernel(64)]")]
    [InlineData("using FastAttn; [module: AttentionKernel(64)]")]
    [InlineData("using FastAttn; [AttentionKernel(64)] static partial AttentionKernel K { get; }")]
    [InlineData("using FastAttn; [AttentionKernel(64)] static partial AttentionKernel K();")]
    [InlineData("using FastAttn; namespace N { [AttentionKernel(64)] static partial AttentionKernel K { get; } }")]
    [InlineData("using FastAttn; namespace N { [AttentionKernel(64)] }")]
    [InlineData("using FastAttn; enum E { A; [AttentionKernel(64)] static partial AttentionKernel K { get; } }")]
    [InlineData("using FastAttn; partial class { [AttentionKernel(64)] static partial AttentionKernel K { get; } }")]
    [InlineData("using FastAttn; partial class C<> { [AttentionKernel(64)] static partial AttentionKernel K { get; } }")]
    [InlineData("using FastAttn; partial class C<T { [AttentionKernel(64)] static partial AttentionKernel K { get; }")]
    [InlineData("using FastAttn; partial union C { [AttentionKernel(64)] static partial AttentionKernel K { get; } }")]
    public void Any_place(string source)
    {
        GeneratorRun run = GeneratorRun.Of(source);
        AssertNoNewErrors(run);
    }

    [Fact]
    public void The_attribute_twice()
    {
        GeneratorRun run = GeneratorRun.Of(Source.Kernels(
            "[AttentionKernel(64), AttentionKernel(64)] public static partial AttentionKernel K { get; }",
            "[AttentionKernel(64)] [AttentionKernel(8)] public static partial AttentionKernel L { get; }"));

        Assert.Contains(run.Output.GetDeclarationDiagnostics(TestContext.Current.CancellationToken), static diagnostic => diagnostic.Id == "CS0579");
    }

    [Fact]
    public void The_member_twice()
    {
        GeneratorRun run = GeneratorRun.Of(Source.Kernels(Source.Property("64", "K"), Source.Property("8", "K"), Source.Property("64", "K")));

        Assert.Contains(run.Output.GetDeclarationDiagnostics(TestContext.Current.CancellationToken), static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        Assert.Equal(["Acme.Kernels.K.2.g.cs", "Acme.Kernels.K.g.cs"], run.Files.Keys.Where(static file => file.StartsWith("Acme", System.StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("public partial AttentionKernel K { get; }")]
    [InlineData("public AttentionKernel K => null!;")]
    [InlineData("public AttentionKernel K() => null!;")]
    [InlineData("public static partial AttentionKernel K();")]
    public void An_extension_block_is_no_container(string member)
    {
        GeneratorRun run = GeneratorRun.Of($"using FastAttn; static partial class C {{ extension(string text) {{ [AttentionKernel(64)] {member} }} }}");

        Assert.Empty(run.Files);
        // Roslyn visits some members of extension blocks twice.
        Assert.Equal(
            "'K' must be a partial get-only property or a partial parameterless method: 'static partial AttentionKernel K { get; }'",
            Assert.Single(run.Diagnostics.Select(static diagnostic => diagnostic.GetMessage(CultureInfo.InvariantCulture)).Distinct()));
    }

    /// <summary>What does not compile anyhow is not made worse: emitted files have no errors.</summary>
    private static void AssertNoNewErrors(GeneratorRun run) => Assert.DoesNotContain(
        run.Output.SyntaxTrees
            .Where(static tree => tree.FilePath.EndsWith(".g.cs", System.StringComparison.Ordinal))
            .SelectMany(tree => run.Output.GetSemanticModel(tree).GetDiagnostics()),
        static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
}
