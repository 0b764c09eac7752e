using System.Collections.Generic;

using FastAttn.Generators.Tests.Harness;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>
/// The tiles of the matrix product on AVX-512 are a snapshot (<see cref="SnapshotTests.Tiles_of_the_matrix_product"/>). Those of the other
/// instruction sets are among them, but for the width of registers.
/// </summary>
public sealed class ProductTilesTests
{
    [Theory]
    [InlineData("Avx2", 8, 10)]
    [InlineData("AdvSimd", 4, 12)]
    [InlineData("Vector128", 4, 7)]
    [InlineData("Scalar", 1, 7)]
    public void Tiles_are_those_of_Avx512_with_narrower_registers(string instructionSet, int width, int count)
    {
        GeneratorRun run = GeneratorRun.Of(Source.ProductTilesAttribute, Source.ProductTiles);
        IReadOnlyDictionary<string, string> wide = ProductTiles.Of(run.Files["F32_Product_Avx512.g.cs"]), narrow = ProductTiles.Of(run.Files[$"F32_Product_{instructionSet}.g.cs"]);

        Assert.Equal(count, narrow.Count);
        Assert.All(narrow, tile => Assert.Equal(ProductTiles.Narrowed(wide[tile.Key], width), tile.Value));
    }
}
