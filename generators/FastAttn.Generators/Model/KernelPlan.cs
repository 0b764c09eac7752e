using System;
using System.Linq;

using FastAttn.Generators.Dialects;

namespace FastAttn.Generators.Model;

/// <summary>
/// Every size choice of the code of one kernel on one instruction set. What depends on a call's sizes is chosen in the library's runtime.
/// </summary>
/// <param name="Dimensions">Head and value dimension.</param>
/// <param name="Dialect">The instruction set.</param>
/// <param name="ScoreTiles">Register tiles of scores, widest first: query tiles narrow down to one vector at the end of a sequence.</param>
/// <param name="ValueTiles">Register tiles of outputs, as wide.</param>
/// <param name="QueryTiles">Register tiles that share a block of keys and values.</param>
/// <param name="KeyBlock">Keys in a block (Bc).</param>
/// <param name="Unroll">Steps of the inner loop that are written out.</param>
internal sealed record KernelPlan(Dimensions Dimensions, Dialect Dialect, EquatableArray<TileShape> ScoreTiles, EquatableArray<TileShape> ValueTiles, int QueryTiles, int KeyBlock, int Unroll)
{
    /// <summary>The most terms of a dot product that are summed without a break (<see cref="SumLength"/>).</summary>
    private const int MaxSumLength = 32;

    /// <summary>
    /// The most queries that share a copy of a block of keys and values, where rows are apart as in [B, L, H, D]: copying costs
    /// 28% of the time with 24 queries, 6 to 18% with 192, 4 to 8% with 384, 2 to 6% with 768.
    /// </summary>
    private const int MaxQueryRows = 768;

    /// <summary>Floats of queries and outputs that leave room for the blocks in a second-level cache of 512 KiB.</summary>
    private const int MaxQueryFloats = 384 * 256;

    /// <summary>
    /// Terms of a dot product that are summed without a break: rounding errors grow with the length of a sum. On N(0, 1)
    /// inputs with few keys, outputs of kernels of 32 and more dimensions stay within 1e-6 with parts of 32, and exceed it
    /// (1.2e-6) with parts of 64; those of 16 and 31 exceed it (1.1e-6) in one part, and do not in two.
    /// </summary>
    public int SumLength => Dimensions.AreFixed && Dimensions.Head <= MaxSumLength ? ((Dimensions.Head + 1) / 2 + Unroll - 1) / Unroll * Unroll : MaxSumLength;

    /// <summary>The struct that holds the tiles.</summary>
    public string StructName => $"F32_{Dimensions.Key}_{Dialect.Name}";

    public int MaxVectors => ValueTiles.Max(static tile => tile.Vectors);

    /// <summary>Queries in the widest tile: floats from row to row of the buffers of every tile.</summary>
    public int Width => MaxVectors * Dialect.Width;

    /// <summary>Rows of the tallest tile of scores; the others divide it.</summary>
    public int KeyRows => ScoreTiles.Max(static tile => tile.Rows);

    /// <summary>Rows of the tallest tile of outputs; the others divide it.</summary>
    public int ValueRows => ValueTiles.Max(static tile => tile.Rows);

    /// <summary>Columns of a value row as tiles see them: whole tiles.</summary>
    public int ValueColumns => (Dimensions.Value + ValueRows - 1) / ValueRows * ValueRows;

    public static KernelPlan Of(Dimensions dimensions, Dialect dialect) =>
        new(dimensions, dialect, new([.. ScoreTilesOf(dialect)]), new([.. TilesOf(dialect)]), QueryTilesOf(dimensions, dialect), KeyBlock: 96, Unroll: dimensions.AreFixed ? 4 : 1);

    /// <summary>
    /// Whether the sum of parts has registers beside those of the part. Where it has none, it is kept where the scores go, at the cost
    /// of a load and a store for each part.
    /// </summary>
    public bool SumsInRegisters(TileShape tile) => 2 * tile.Rows * tile.Vectors + tile.Vectors + 1 <= Dialect.Registers;

    private static int QueryTilesOf(Dimensions dimensions, Dialect dialect)
    {
        int columns = dimensions.AreFixed ? dimensions.Head + dimensions.Value : Model.Dimensions.Max / 2;
        int rows = Math.Min(MaxQueryRows, MaxQueryFloats / columns);
        return Math.Max(1, rows / (dialect.Width * TilesOf(dialect).Max(static tile => tile.Vectors)));
    }

    /// <summary>The register tiles that an instruction set has room for, widest first.</summary>
    public static TileShape[] TilesOf(Dialect dialect) => dialect.Registers switch
    {
        32 => [new(8, 3), new(8, 2), new(8, 1)],
        16 when dialect.Width == 8 => [new(4, 3), new(4, 2), new(8, 1)],
        16 => [new(4, 2), new(8, 1)],
        _ => throw new NotSupportedException(dialect.Name),
    };

    /// <summary>
    /// Those of scores. On AVX-512 they leave registers for the sum of parts, which is 1 to 1.5% faster: 98.5 to 99.5% of the peak.
    /// With 12 accumulators its one or two multiply-adds a cycle still find work.
    /// </summary>
    private static TileShape[] ScoreTilesOf(Dialect dialect) => dialect.Width == 16 ? [new(4, 3), new(4, 2), new(8, 1)] : TilesOf(dialect);
}
