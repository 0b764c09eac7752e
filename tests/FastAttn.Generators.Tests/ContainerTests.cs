using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>A member may stand in any type that can be partial, and be declared in any way that C# lets it.</summary>
public sealed class ContainerTests
{
    private const string Kernel = "[AttentionKernel(8)] public static partial AttentionKernel K { get; }";

    [Theory]
    [InlineData("partial class C")]
    [InlineData("public partial class C")]
    [InlineData("internal sealed partial class C(int size)", "public int Size => size;")]
    [InlineData("static partial class C")]
    [InlineData("abstract partial class C")]
    [InlineData("partial struct C")]
    [InlineData("readonly partial struct C")]
    [InlineData("ref partial struct C")]
    [InlineData("readonly ref partial struct C")]
    [InlineData("partial interface C")]
    [InlineData("partial record C")]
    [InlineData("partial record C(int Size)")]
    [InlineData("sealed partial record class C")]
    [InlineData("partial record struct C")]
    [InlineData("readonly partial record struct C(int Size)")]
    [InlineData("partial class C<T>")]
    [InlineData("partial class C<T> where T : class, new()")]
    [InlineData("partial class C<T, U> where T : System.Collections.Generic.IEnumerable<U?> where U : struct")]
    [InlineData("partial class C<T> where T : notnull")]
    [InlineData("partial class C<T> where T : unmanaged")]
    [InlineData("partial struct C<T> where T : allows ref struct")]
    [InlineData("partial interface C<in T, out U>")]
    [InlineData("partial interface C<in T, out U> where T : class? where U : System.IComparable<T>")]
    [InlineData("partial class C<[System.ComponentModel.Description] T>")]
    [InlineData("partial class @class<@in, @event>")]
    [InlineData("partial class @record")]
    [InlineData("partial class Größe")]
    [InlineData("partial class नमस्ते")]
    public void Type(string declaration, string member = "")
    {
        GeneratorRun run = GeneratorRun.Of($$"""using FastAttn; namespace Acme; {{declaration}} { {{Kernel}} {{member}} } """);

        Assert.Equal(1 + 1 + 3 * 5, run.Files.Count);
        run.AssertMembersCompileCleanly();
    }

    [Theory]
    [InlineData("partial AttentionKernel K { get; }")]
    [InlineData("private partial AttentionKernel K { get; }")]
    [InlineData("private static partial AttentionKernel K { get; }")]
    [InlineData("protected partial AttentionKernel K { get; }")]
    [InlineData("private protected partial AttentionKernel K { get; }")]
    [InlineData("protected internal partial AttentionKernel K { get; }")]
    [InlineData("internal partial AttentionKernel K { get; }")]
    [InlineData("public partial AttentionKernel K { get; }")]
    [InlineData("public virtual partial AttentionKernel K { get; }")]
    [InlineData("public virtual partial AttentionKernel K()")]
    [InlineData("public override partial AttentionKernel Property { get; }")]
    [InlineData("public sealed override partial AttentionKernel Property { get; }")]
    [InlineData("public override partial AttentionKernel Method()")]
    [InlineData("public new partial AttentionKernel Property { get; }")]
    [InlineData("public new static partial AttentionKernel Property { get; }")]
    [InlineData("public new virtual partial AttentionKernel Method()")]
    [InlineData("private partial AttentionKernel K()")]
    [InlineData("private static partial AttentionKernel K()")]
    [InlineData("protected internal static partial AttentionKernel K()")]
    [InlineData("public static partial global::FastAttn.AttentionKernel K()")]
    [InlineData("public static partial AttentionKernel AttentionKernel { get; }")]
    [InlineData("public static partial AttentionKernel @static { get; }")]
    [InlineData("public static partial AttentionKernel @partial()")]
    [InlineData("public static partial AttentionKernel Größe { get; }")]
    [InlineData("static public partial AttentionKernel K { get; }")]
    public void Member_of_a_class(string declaration)
    {
        GeneratorRun run = GeneratorRun.Of($$"""
            using FastAttn;

            public abstract class Base
            {
                public virtual AttentionKernel Property => ScaledDotProductAttention.GetKernel(8);

                public virtual AttentionKernel Method() => Property;
            }

            public partial class C : Base
            {
                [AttentionKernel(8)] {{declaration}}{{(declaration.EndsWith(')') ? ";" : "")}}
            }
            """);

        Assert.Equal(1 + 1 + 3 * 5, run.Files.Count);
        run.AssertMembersCompileCleanly();
    }

    [Theory]
    [InlineData("interface", "partial AttentionKernel K { get; }")]
    [InlineData("interface", "public static partial AttentionKernel K { get; }")]
    [InlineData("interface", "static virtual partial AttentionKernel K { get; }")]
    [InlineData("interface", "private partial AttentionKernel K { get; }")]
    [InlineData("interface", "public partial AttentionKernel K();")]
    [InlineData("interface", "static partial AttentionKernel K { get; }")]
    [InlineData("struct", "public partial AttentionKernel K { get; }")]
    [InlineData("struct", "public readonly partial AttentionKernel K { get; }")]
    [InlineData("struct", "public readonly partial AttentionKernel K();")]
    [InlineData("record struct", "public readonly partial AttentionKernel K();")]
    [InlineData("record", "public partial AttentionKernel K { get; }")]
    public void Member_of_another_kind_of_type(string keyword, string declaration)
    {
        GeneratorRun run = GeneratorRun.Of($$"""using FastAttn; partial {{keyword}} C { [AttentionKernel(8)] {{declaration}} }""");

        Assert.Equal(1 + 1 + 3 * 5, run.Files.Count);
        run.AssertMembersCompileCleanly();
    }

    [Theory]
    [InlineData("[AttentionKernel(headDim: 8)]")]
    [InlineData("[AttentionKernelAttribute(8)]")]
    [InlineData("[global::FastAttn.AttentionKernel(8)]")]
    [InlineData("[Short(8)]")]
    [InlineData("[AttentionKernel(8), System.ComponentModel.Description(\"\")]")]
    [InlineData("[System.ComponentModel.Description(\"\")] [AttentionKernel(8)]")]
    [InlineData("[AttentionKernel(C.Dim)]")]
    [InlineData("[AttentionKernel(1 << 3)]")]
    [InlineData("[AttentionKernel('\\b')]")]
    [InlineData("[AttentionKernel(8, ValueDim = 8, Mask = default)]")]
    [InlineData("[AttentionKernel(8, Mask = (AttentionMask)0)]")]
    public void Spelling_of_the_attribute(string attribute)
    {
        GeneratorRun run = GeneratorRun.Of($$"""
            using FastAttn;
            using Short = FastAttn.AttentionKernelAttribute;
            using Kernel = FastAttn.AttentionKernel;

            partial class C
            {
                public const int Dim = 8;

                {{attribute}} public static partial Kernel K { get; }

                public Short? Unused => null;
            }
            """);

        Assert.Contains("F32_D8.g.cs", run.Files.Keys);
        run.AssertMembersCompileCleanly();
    }

    [Fact]
    public void Nested_types()
    {
        GeneratorRun run = GeneratorRun.Of($$"""
            using FastAttn;

            public partial interface IOuter<T>
            {
                public abstract partial class Middle<U>
                {
                    protected readonly partial record struct Inner<V>(int Size)
                    {
                        private static partial class Innermost { {{Kernel}} }
                    }
                }
            }
            """);

        Assert.Contains("IOuter_1.Middle_1.Inner_1.Innermost.K.g.cs", run.Files.Keys);
        run.AssertMembersCompileCleanly();
    }

    [Fact]
    public void Names_that_differ_in_letter_case_arity_or_namespace_only()
    {
        GeneratorRun run = GeneratorRun.Of($$"""
            using FastAttn;

            partial class C { {{Kernel}} [AttentionKernel(8)] public static partial AttentionKernel k(); }
            partial class Cc { {{Kernel}} }
            partial class CC { {{Kernel}} }
            partial class C<T> { {{Kernel}} }
            partial class C<T, U> { {{Kernel}} }
            partial class C_1 { {{Kernel}} }
            partial class @namespace { {{Kernel}} }
            namespace A { partial class C { {{Kernel}} } }
            namespace a { partial class C { {{Kernel}} } }
            namespace A.B { partial class C { {{Kernel}} } }
            namespace A.@namespace { partial class C { {{Kernel}} } }
            """);

        Assert.Equal(12, run.Files.Keys.Count(static name => !name.StartsWith("F32_", System.StringComparison.Ordinal)));
        run.AssertMembersCompileCleanly();
    }

    [Fact]
    public void Types_of_several_parts()
    {
        GeneratorRun run = GeneratorRun.Of(
            $$"""using FastAttn; public sealed partial class C<T> where T : class { {{Kernel}} }""",
            "using FastAttn; partial class C<T> { [AttentionKernel(8)] public static partial AttentionKernel L(); }",
            "partial class C<T> : System.IDisposable { public void Dispose() { } }");

        Assert.Equal(2 + 1 + 3 * 5, run.Files.Count);
        run.AssertMembersCompileCleanly();
    }

    [Fact]
    public void Identifiers_with_unicode_escapes()
    {
        GeneratorRun run = GeneratorRun.Of("""
            using FastAttn;

            namespace \u0041cme
            {
                partial class \u0043<\u0054>
                {
                    [AttentionKernel(8)] public static partial AttentionKernel \u004B { get; }
                }
            }
            """);

        Assert.Contains("Acme.C_1.K.g.cs", run.Files.Keys);
        run.AssertMembersCompileCleanly();
    }
}
