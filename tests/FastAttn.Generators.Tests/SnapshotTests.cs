using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>What users read when they step into a kernel: few files, each for another reason.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public void Causal_kernel_of_dimension_64() => Snapshot.Verify(
        GeneratorRun.Of(Source.Kernels(Source.Property("64, Mask = AttentionMask.Causal", "Causal64"))),
        ["Acme.Kernels.Causal64.g.cs", "F32_D64_Causal.g.cs", "F32_D64_Avx512.g.cs", "F32_ScoresInEqualParts_Avx512.g.cs", "F32_Values_Avx512.g.cs", "F32_D64_Avx2.g.cs", "F32_ScoresInEqualParts_Avx2.g.cs", "F32_Values_Avx2.g.cs"]);

    /// <summary>What is declared stands in the kernel's name and in its constants; its tiles are those of any kernel of its dimensions.</summary>
    [Fact]
    public void Features_of_a_kernel() => Snapshot.Verify(
        GeneratorRun.Of(Source.Kernels(
            Source.Property("128, Mask = AttentionMask.Causal, Features = AttentionFeatures.Softcap | AttentionFeatures.Window", "Gemma"),
            Source.Property("64, Features = AttentionFeatures.Lengths", "Padded"),
            Source.Property("64, Features = AttentionFeatures.Lengths | AttentionFeatures.Ragged", "PaddedOrRagged"),
            Source.Property("64, Features = AttentionFeatures.All", "Everything"))),
        ["Acme.Kernels.Gemma.g.cs", "F32_D128_Causal_Window_Softcap.g.cs", "F32_D64_Lengths.g.cs", "F32_D64_Lengths_Ragged.g.cs", "F32_D64_All.g.cs"]);

    [Fact]
    public void Scalar_tiles_of_dimension_84() => Snapshot.Verify(GeneratorRun.Of(Source.Properties("84")), ["F32_D84.g.cs", "F32_D84_Scalar.g.cs", "F32_ScoresInParts_Scalar.g.cs", "F32_Values_Scalar.g.cs"]);

    /// <summary>Neither is a multiple of a tile's rows or of the unrolled steps.</summary>
    [Fact]
    public void Portable_tiles_of_odd_dimensions() => Snapshot.Verify(GeneratorRun.Of(Source.Properties("31, ValueDim = 100")), ["F32_D31V100_Vector128.g.cs", "F32_ScoresInPartsAndSteps_Vector128.g.cs", "F32_Values_Vector128.g.cs"]);

    /// <summary>Sums too short to be taken in parts.</summary>
    [Fact]
    public void Tiles_of_few_dimensions() => Snapshot.Verify(
        GeneratorRun.Of(Source.Properties("3", "4")),
        ["F32_D3_Avx2.g.cs", "F32_D4_Avx2.g.cs", "F32_ScoresInSteps_Avx2.g.cs", "F32_ScoresInOnePart_Avx2.g.cs"]);

    [Fact]
    public void Tiles_of_any_dimensions() => Snapshot.Verify(
        GeneratorRun.Of(Source.AnyDimensionAttribute, Source.Kernels("[AnyDimensionKernel] internal static partial AttentionKernel Any { get; }")),
        ["F32_Any.g.cs", "F32_Any_Avx2.g.cs"]);

    /// <summary>All of them for one instruction set. Those for the others differ in the width of registers (<see cref="ProductTilesTests"/>).</summary>
    [Fact]
    public void Tiles_of_the_matrix_product()
    {
        GeneratorRun run = GeneratorRun.Of(Source.ProductTilesAttribute, Source.ProductTiles);
        Snapshot.Verify(run, ["F32_Product_Avx512.g.cs", "ProductDriver.g.cs"]);
        Snapshot.Verify(run, ["F32_Product_Avx2.g.cs", "F32_Product_AdvSimd.g.cs", "F32_Product_Vector128.g.cs", "F32_Product_Scalar.g.cs"], ProductTiles.Without);
    }

    [Fact]
    public void Every_snapshot_is_of_a_test() => Assert.All(
        Snapshot.Names.Select(static name => name.Split('.', '#')),
        static parts => Assert.NotNull(typeof(SnapshotTests).Assembly.GetType($"{typeof(SnapshotTests).Namespace}.{parts[0]}")?.GetMethod(parts[1])));

    [Fact]
    public void Method_in_nested_generic_types() => Snapshot.Verify(
        GeneratorRun.Of("""
            namespace Acme.@namespace;

            public partial interface IOuter<in T, out @class>
                where T : class
            {
                public readonly partial record struct Inner<U>(int Size)
                {
                    [global::FastAttn.AttentionKernel(8, ValueDim = 3)]
                    internal readonly partial global::FastAttn.AttentionKernel @new();
                }
            }
            """),
        ["Acme.namespace.IOuter_2.Inner_1.new.g.cs"]);
}
