using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Generators.Tests.Harness;

/// <summary>Short ways to write the usual source.</summary>
internal static class Source
{
    /// <summary>A type <c>Acme.Kernels</c> with these members.</summary>
    public static string Kernels(params IEnumerable<string> members) => $$"""
        using FastAttn;

        namespace Acme;

        public static partial class Kernels
        {
            {{string.Join("\n\n    ", members)}}
        }
        """;

    /// <summary>A get-only property with the attribute; <paramref name="arguments"/> as <c>64, Mask = AttentionMask.Causal</c>.</summary>
    public static string Property(string arguments, string name) =>
        $"[AttentionKernel({arguments})] public static partial AttentionKernel {name} {{ get; }}";

    /// <summary>A type <c>Acme.Kernels</c> with one property per argument list: <c>K0</c>, <c>K1</c>…</summary>
    public static string Properties(params IEnumerable<string> arguments) =>
        Kernels(arguments.Select(static (text, i) => Property(text, $"K{i}")));

    /// <summary>
    /// The library's internal attribute, which the generator knows by name: kernels for any dimensions are emitted for
    /// the library alone.
    /// </summary>
    public const string AnyDimensionAttribute = """
        namespace FastAttn
        {
            [global::System.AttributeUsage(global::System.AttributeTargets.Property)]
            internal sealed class AnyDimensionKernelAttribute : global::System.Attribute
            {
                public AttentionMask Mask { get; set; }
            }
        }
        """;

    /// <summary>The other one: it asks for the tiles of the matrix product.</summary>
    public const string ProductTilesAttribute = """
        namespace FastAttn
        {
            [global::System.AttributeUsage(global::System.AttributeTargets.Class)]
            internal sealed class ProductTilesAttribute : global::System.Attribute;
        }
        """;

    /// <summary>A class with it.</summary>
    public const string ProductTiles = "namespace FastAttn { [ProductTiles] internal static class Product; }";
}
